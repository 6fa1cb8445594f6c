/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redisstream.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/redisinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MARK_LEN  40
#define POLL_MS   200
#define SECOND_MS 1100 /* LASTSAVE counts whole seconds */
#define ASK_AGAIN 50   /* BGSAVE while a child of the server works */

struct RedisStream {
    RedisConn *conn; /* NULL: a file */
    int fd;          /* of that file, else -1 */
    const Cancel *cancel;
    const char *method;
    char mark[MARK_LEN + 1]; /* of a diskless transfer; "": none */
    uint64_t len;            /* of any other */
    char *replid;
    int64_t offset;
    int64_t saved_before; /* what the server saves: the save before */
};

static RedisStream *stream_new(const char *method)
{
    RedisStream *stream = g_new0(RedisStream, 1);

    stream->fd = -1;
    stream->method = method;
    stream->offset = -1;
    return stream;
}

void redis_stream_free(RedisStream *stream)
{
    if (!stream)
        return;
    fs_clear_fd(&stream->fd);
    g_free(stream->replid);
    g_free(stream);
}

const char *redis_stream_method(const RedisStream *stream)
{
    return stream->method;
}

const char *redis_stream_replid(const RedisStream *stream)
{
    return stream->replid;
}

int64_t redis_stream_offset(const RedisStream *stream)
{
    return stream->offset;
}

/* ---- as a replica ---- */

/* What we can: that we want nothing after the copy, so that the server gathers nothing for us, and
 * a stream of unknown length, so that it needs no disk; but then it waits for other replicas before
 * it forks. Servers that know neither do without. */
static bool say_what_we_can(RedisConn *conn, bool diskless, GError **error)
{
    static const char *const words[][4] = { { "REPLCONF", "rdb-only", "1" },
                                            { "REPLCONF", "capa", "eof" } };

    for (size_t i = 0; i < (diskless ? G_N_ELEMENTS(words) : 1); i++) {
        g_autoptr(GError) failure = NULL;

        if (redis_ask(conn, words[i], NULL, &failure) ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED) ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED))
            continue;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return true;
}

static bool parse_position(RedisStream *stream, const char *line, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    if (g_strv_length(words) == 3 && strlen(words[1]) == 40 &&
        g_ascii_string_to_signed(words[2], 10, -1, INT64_MAX, &stream->offset, NULL)) {
        stream->replid = g_strdup(words[1]);
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: an answer to PSYNC that means nothing",
                redis_conn_place(stream->conn));
    return false;
}

/* PSYNC tells the position, too. Servers before 2.8 and logins that may only SYNC do without, when
 * it may be done without. */
static bool ask_for_copy(RedisStream *stream, bool position, GError **error)
{
    static const RedisArg psync[] = { { "PSYNC", 5 }, { "?", 1 }, { "-1", 2 } };
    static const RedisArg sync[] = { { "SYNC", 4 } };
    g_autoptr(GError) failure = NULL;
    g_autofree char *line = NULL;

    if (!redis_send(stream->conn, psync, G_N_ELEMENTS(psync), error))
        return false;
    if (redis_read_line(stream->conn, &line, &failure)) {
        if (g_str_has_prefix(line, "FULLRESYNC "))
            return parse_position(stream, line, error);
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: no copy is sent, but \"%.60s\"",
                    redis_conn_place(stream->conn), line);
        return false;
    }
    if (!position && (g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) ||
                      g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED)))
        return redis_send(stream->conn, sync, G_N_ELEMENTS(sync), error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* "$1234", or "$EOF:" and forty bytes. */
static bool parse_header(RedisStream *stream, GError **error)
{
    g_autofree char *line = NULL;

    if (!redis_read_line(stream->conn, &line, error))
        return false;
    if (g_str_has_prefix(line, "$EOF:") && strlen(line) == strlen("$EOF:") + MARK_LEN) {
        memcpy(stream->mark, line + strlen("$EOF:"), MARK_LEN);
        stream->method = "diskless replica";
        return true;
    }
    if (*line == '$' && g_ascii_string_to_unsigned(line + 1, 10, 1, INT64_MAX, &stream->len, NULL))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: no copy comes, but \"%.60s\"",
                redis_conn_place(stream->conn), line);
    return false;
}

RedisStream *redis_stream_replica(RedisConn *conn, GError **error)
{
    g_autoptr(RedisStream) stream = stream_new("replica");

    stream->conn = conn;
    if (!say_what_we_can(conn, true, error) || !ask_for_copy(stream, false, error) ||
        !parse_header(stream, error))
        return NULL;
    return g_steal_pointer(&stream);
}

/* replication.c, syncCommand(): the answer goes out when it forks, or with the position of the fork
 * that another replica waits for. */
RedisStream *redis_stream_fork(RedisConn *conn, int64_t position, GError **error)
{
    g_autoptr(RedisStream) stream = stream_new("replica");

    stream->conn = conn;
    if (!say_what_we_can(conn, false, error) || !ask_for_copy(stream, true, error))
        return NULL;
    if (stream->offset >= position)
        return g_steal_pointer(&stream);
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                "%s: the server gives a copy that it had begun before for another replica; try "
                "again when that is done",
                redis_conn_place(conn));
    return NULL;
}

/* ---- saved by the server ---- */

static bool failed_save(GError **error, const char *why)
{
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "the server could not save its data (%s); its log and the room on its disk tell "
                "why",
                why);
    return false;
}

static bool last_save(RedisConn *conn, int64_t *ret_time, bool *ret_running, char **ret_status,
                      GError **error)
{
    g_autofree char *info = redis_info(conn, "persistence", error);

    if (!info)
        return false;
    *ret_time = redis_info_number(info, "rdb_last_save_time", -1);
    *ret_running = redis_info_number(info, "rdb_bgsave_in_progress", 0) != 0;
    g_free(*ret_status);
    *ret_status = redis_info_get(info, "rdb_last_bgsave_status");
    return true;
}

/* One save at a time: that of somebody else began before us, and is waited for. */
static bool begin_save(RedisConn *conn, const Cancel *cancel, GError **error)
{
    for (unsigned i = 0;; i++) {
        g_autoptr(GError) failure = NULL;

        if (redis_ask(conn, (const char *const[]){ "BGSAVE", NULL }, NULL, &failure))
            return true;
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED) ||
            !strstr(failure->message, "in progress") || i == ASK_AGAIN * 60) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!cancel_sleep(cancel, POLL_MS, error))
            return false;
    }
}

static bool start_save(RedisStream *stream, RedisConn *conn, GError **error)
{
    g_autofree char *status = NULL;
    bool running;

    return cancel_sleep(stream->cancel, SECOND_MS, error) &&
           last_save(conn, &stream->saved_before, &running, &status, error) &&
           begin_save(conn, stream->cancel, error);
}

/* "Background saving started" says nothing: the time of the last good save does, and the status. */
static bool await_save(const RedisStream *stream, RedisConn *conn, int64_t *ret_time,
                       GError **error)
{
    g_autofree char *status = NULL;
    int64_t after;
    bool running;

    do
        if (!cancel_sleep(stream->cancel, POLL_MS, error) ||
            !last_save(conn, &after, &running, &status, error))
            return false;
    while (running);
    if (g_strcmp0(status, "ok") != 0)
        return failed_save(error, "rdb_last_bgsave_status is not ok");
    if (after <= stream->saved_before)
        return failed_save(error, "the time of the last save did not change");
    *ret_time = after;
    return true;
}

static char *saved_path(RedisConn *conn)
{
    g_autofree char *dir = redis_config(conn, "dir"), *file = redis_config(conn, "dbfilename");

    return dir && file ? g_build_filename(dir, file, NULL) : NULL;
}

static bool not_here(GError **error, const char *why)
{
    g_set_error(error, BS_ERROR, BS_ERROR_SETUP,
                "the login may not replicate, and the file that BGSAVE writes is not to be had "
                "here (%s); allow it with \"ACL SETUSER name +psync +replconf +info\"",
                why);
    return false;
}

/* The server renames the finished file over the last one: what was opened stays as it is. */
static bool open_saved(RedisStream *stream, const char *path, int64_t saved_at, GError **error)
{
    struct stat st;

    stream->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (stream->fd < 0 || fstat(stream->fd, &st) != 0)
        return not_here(error, g_strerror(errno));
    // of another server, or of an older save
    if (!S_ISREG(st.st_mode) || ABS(st.st_mtim.tv_sec - saved_at) > 5)
        return not_here(error, "what lies there is not what was just saved");
    stream->len = (uint64_t)st.st_size;
    return true;
}

/* There is no file before the first save, but there is the directory. */
static bool check_saved_path(const char *path, GError **error)
{
    g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;

    if (!path)
        return not_here(error, "CONFIG GET dir is not allowed");
    if (access(path, F_OK | R_OK) == 0)
        return true;
    return (access(dir, X_OK) == 0 && access(path, F_OK) != 0) ||
           not_here(error, g_strerror(errno));
}

RedisStream *redis_stream_save(RedisConn *conn, const Cancel *cancel, GError **error)
{
    g_autoptr(RedisStream) stream = stream_new("bgsave");
    g_autofree char *path = saved_path(conn);

    stream->cancel = cancel;
    if (!check_saved_path(path, error) || !start_save(stream, conn, error))
        return NULL;
    return g_steal_pointer(&stream);
}

bool redis_stream_await(RedisStream *stream, RedisConn *asking, GError **error)
{
    g_autofree char *path = NULL;
    int64_t saved_at;

    if (stream->conn)
        return parse_header(stream, error);
    path = saved_path(asking);
    if (!path)
        return not_here(error, "CONFIG GET dir is not allowed");
    return await_save(stream, asking, &saved_at, error) &&
           open_saved(stream, path, saved_at, error);
}

RedisStream *redis_stream_saved(RedisConn *conn, const Cancel *cancel, GError **error)
{
    g_autoptr(RedisStream) stream = redis_stream_save(conn, cancel, error);

    return stream && redis_stream_await(stream, conn, error) ? g_steal_pointer(&stream) : NULL;
}

/* ---- bytes ---- */

static ssize_t read_some(RedisStream *stream, void *buf, size_t len, GError **error)
{
    size_t n;

    if (stream->conn)
        return redis_read_raw(stream->conn, buf, len, error);
    if (!cancel_check(stream->cancel, error) ||
        !fs_read_full(stream->fd, buf, len, &n, "dump.rdb", error))
        return -1;
    return (ssize_t)n;
}

/* The walker is done: what comes behind is the transfer's own end. rest: what was read of it. */
static bool check_end(RedisStream *stream, const RdbWalker *walker, const char *rest,
                      size_t rest_len, GError **error)
{
    char mark[MARK_LEN];

    if (!*stream->mark) {
        if (stream->len == rdb_size(walker))
            return true;
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the copy has %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
                    " were announced",
                    rdb_size(walker), stream->len);
        return false;
    }
    for (size_t have = 0; have < MARK_LEN;) {
        ssize_t n = (ssize_t)MIN(rest_len, MARK_LEN - have);

        if (n > 0) {
            memcpy(mark + have, rest, (size_t)n);
            rest += n;
            rest_len -= (size_t)n;
        } else {
            n = read_some(stream, mark + have, MARK_LEN - have, error);
        }
        if (n < 0)
            return false;
        have += (size_t)n;
        if (n > 0)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE,
                    "the server ended the connection before the end of the copy");
        return false;
    }
    if (memcmp(mark, stream->mark, MARK_LEN) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the mark at the end of the copy is another");
    return false;
}

ssize_t redis_stream_read(RedisStream *stream, RdbWalker *walker, void *buf, size_t len,
                          GError **error)
{
    size_t used;
    ssize_t n;

    if (rdb_ended(walker))
        return 0;
    n = read_some(stream, buf, len, error);
    if (n < 0)
        return -1;
    if (n == 0) {
        g_set_error(error, BS_ERROR, stream->conn ? BS_ERROR_UNREACHABLE : BS_ERROR_CORRUPT,
                    "the copy ended early, after %" G_GUINT64_FORMAT " bytes", rdb_size(walker));
        return -1;
    }
    if (!rdb_feed(walker, buf, (size_t)n, &used, error))
        return -1;
    if (rdb_ended(walker) &&
        !check_end(stream, walker, (char *)buf + used, (size_t)n - used, error))
        return -1;
    return (ssize_t)used;
}
