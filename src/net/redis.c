/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redis.h"

#include "base/error.h"
#include "net/redisreply.h"
#include "net/wire.h"

#include <string.h>

#define INPUT     (64u * 1024)
#define OUTPUT    (64u * 1024) /* what is gathered before it goes out */
#define REPLY_MAX (16u * 1024 * 1024)
#define LINE_LEN  4096u

struct RedisConn {
    Wire *wire;
    RedisReader *reader; /* NULL: lines and raw bytes from now on */
    size_t reply_max;
    GByteArray *output;
    char *input;
    size_t input_at, input_len; /* raw bytes that were read and not yet taken */
};

/* ---- sending ---- */

static bool flush(RedisConn *conn, GError **error)
{
    bool ok = wire_write(conn->wire, conn->output->data, conn->output->len, error);

    secret_wipe(conn->output->data, conn->output->len); // a password may have passed
    g_byte_array_set_size(conn->output, 0);
    return ok;
}

static bool gather(RedisConn *conn, const void *data, size_t len, GError **error)
{
    if (conn->output->len + len > OUTPUT && !flush(conn, error))
        return false;
    if (len > OUTPUT)
        return wire_write(conn->wire, data, len, error);
    g_byte_array_append(conn->output, data, (guint)len);
    return true;
}

static bool gather_count(RedisConn *conn, char type, uint64_t count, GError **error)
{
    char text[32];
    int len = g_snprintf(text, sizeof text, "%c%" G_GUINT64_FORMAT "\r\n", type, count);

    return gather(conn, text, (size_t)len, error);
}

bool redis_begin(RedisConn *conn, size_t n_args, GError **error)
{
    return gather_count(conn, '*', n_args, error);
}

bool redis_long_arg(RedisConn *conn, uint64_t len, GError **error)
{
    return gather_count(conn, '$', len, error);
}

bool redis_long_piece(RedisConn *conn, const void *data, size_t len, GError **error)
{
    return gather(conn, data, len, error);
}

bool redis_long_end(RedisConn *conn, GError **error)
{
    return gather(conn, "\r\n", 2, error);
}

bool redis_arg(RedisConn *conn, const void *data, size_t len, GError **error)
{
    return redis_long_arg(conn, len, error) && redis_long_piece(conn, data, len, error) &&
           redis_long_end(conn, error);
}

bool redis_send(RedisConn *conn, const RedisArg *args, size_t n_args, GError **error)
{
    if (!redis_begin(conn, n_args, error))
        return false;
    for (size_t i = 0; i < n_args; i++)
        if (!redis_arg(conn, args[i].data, args[i].len, error))
            return false;
    return true;
}

/* ---- replies ---- */

static bool fill(RedisConn *conn, GError **error)
{
    ssize_t n = wire_read(conn->wire, conn->input, INPUT, error);

    if (n == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: the server ended the connection",
                    wire_place(conn->wire));
    conn->input_at = 0;
    conn->input_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool read_reply(RedisConn *conn, RedisReply **ret_reply, GError **error)
{
    g_autoptr(RedisReply) reply = NULL;

    redis_reader_begin(conn->reader, conn->reply_max);
    while (!reply) {
        if (!redis_reader_next(conn->reader, &reply, error)) {
            g_prefix_error(error, "%s: ", redis_conn_place(conn));
            return false;
        }
        if (reply)
            break;
        if (!fill(conn, error))
            return false;
        redis_reader_feed(conn->reader, conn->input, conn->input_len);
        conn->input_len = 0;
    }
    *ret_reply = g_steal_pointer(&reply);
    return true;
}

/* A server that has no place for us says so and closes the connection, which may be before we have
 * sent anything: why that is lost may lie there to be read. */
static bool flush_or_hear(RedisConn *conn, GError **error)
{
    g_autoptr(GError) lost = NULL;
    g_autoptr(RedisReply) reply = NULL;

    if (flush(conn, &lost))
        return true;
    if (g_error_matches(lost, BS_ERROR, BS_ERROR_UNREACHABLE) && read_reply(conn, &reply, NULL) &&
        reply->type == REDIS_FAILURE)
        redis_failure(reply->text, error);
    else
        g_propagate_error(error, g_steal_pointer(&lost));
    return false;
}

bool redis_receive(RedisConn *conn, RedisReply **ret_reply, GError **error)
{
    g_autoptr(RedisReply) reply = NULL;

    if (!flush_or_hear(conn, error) || !read_reply(conn, &reply, error))
        return false;
    if (reply->type == REDIS_FAILURE) {
        redis_failure(reply->text, error);
        return false;
    }
    if (ret_reply)
        *ret_reply = g_steal_pointer(&reply);
    return true;
}

bool redis_command(RedisConn *conn, const RedisArg *args, size_t n_args, RedisReply **ret_reply,
                   GError **error)
{
    return redis_send(conn, args, n_args, error) && redis_receive(conn, ret_reply, error);
}

bool redis_ask(RedisConn *conn, const char *const *words, RedisReply **ret_reply, GError **error)
{
    if (!redis_begin(conn, g_strv_length((char **)words), error))
        return false;
    for (const char *const *word = words; *word; word++)
        if (!redis_arg(conn, *word, strlen(*word), error))
            return false;
    return redis_receive(conn, ret_reply, error);
}

/* ---- lines and raw bytes ---- */

/* What the reader has in advance is ours again. */
static bool leave_replies(RedisConn *conn, GError **error)
{
    if (!flush(conn, error))
        return false;
    if (!conn->reader)
        return true;
    conn->input_at = 0;
    conn->input_len = redis_reader_rest(conn->reader, conn->input, INPUT);
    g_clear_pointer(&conn->reader, redis_reader_free);
    return true;
}

bool redis_read_line(RedisConn *conn, char **ret_line, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);

    if (!leave_replies(conn, error))
        return false;
    for (;;) {
        char c;

        if (conn->input_at == conn->input_len && !fill(conn, error))
            return false;
        c = conn->input[conn->input_at++];
        if (c == '\n' && line->len > 0 && line->str[line->len - 1] == '\r')
            g_string_truncate(line, line->len - 1);
        if (c == '\n' && line->len > 0)
            break;
        if (c != '\n')
            g_string_append_c(line, c);
        if (line->len > LINE_LEN) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "%s: the server sends no line where one should be", redis_conn_place(conn));
            return false;
        }
    }
    if (*line->str == '-') {
        redis_failure(line->str + 1, error);
        return false;
    }
    *ret_line = g_strdup(line->str + (*line->str == '+'));
    return true;
}

ssize_t redis_read_raw(RedisConn *conn, void *buf, size_t len, GError **error)
{
    size_t n;

    if (!leave_replies(conn, error))
        return -1;
    n = MIN(len, conn->input_len - conn->input_at);
    if (n == 0)
        return wire_read(conn->wire, buf, len, error);
    memcpy(buf, conn->input + conn->input_at, n);
    conn->input_at += n;
    return (ssize_t)n;
}

/* ---- connecting ---- */

static Wire *open_wire(const RedisUrl *url, const RedisOptions *options, GError **error)
{
    WireOptions wire = {
        .host = redis_url_host(url),
        .port = redis_url_port(url),
        .path = redis_url_socket(url),
        .tls = redis_url_tls(url),
        .server_name = redis_url_sni(url),
        .ca_file = redis_url_cacert(url) ? redis_url_cacert(url) : options->ca_file,
        .cert_file = redis_url_cert(url),
        .key_file = redis_url_key(url),
        .connect_ms = options->connect_ms,
        .stall_ms = options->stall_ms,
        .cancel = options->cancel,
    };

    return wire_open(&wire, error);
}

/* A server without a password may say so to whoever brings one: that is a wrong password, too. */
static bool log_in(RedisConn *conn, const RedisUrl *url, GError **error)
{
    const Secret *password = redis_url_password(url);
    const char *user = redis_url_user(url);
    g_autoptr(GError) failure = NULL;

    if (!user && !password)
        return true;
    const RedisArg args[] = {
        { "AUTH", 4 },
        { user, user ? strlen(user) : 0 },
        { password ? secret_data(password) : "", password ? secret_len(password) : 0 },
    };
    const RedisArg only_password[] = { args[0], args[2] };

    if (user ? redis_command(conn, args, 3, NULL, &failure)
             : redis_command(conn, only_password, 2, NULL, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_UNREACHABLE) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT))
        failure->code = BS_ERROR_AUTH;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "login%s%s: ", user ? " as " : "",
                               user ? user : "");
    return false;
}

/* Says whether we are in; who may not even ask that is. */
static bool is_ready(RedisConn *conn, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (redis_ask(conn, (const char *const[]){ "PING", NULL }, NULL, &failure) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool choose_database(RedisConn *conn, const RedisUrl *url, GError **error)
{
    g_autoptr(GError) failure = NULL;
    char number[16];

    if (!redis_url_names_database(url))
        return true;
    g_snprintf(number, sizeof number, "%u", redis_url_database(url));
    if (redis_ask(conn, (const char *const[]){ "SELECT", number, NULL }, NULL, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED))
        failure->code = BS_ERROR_NOT_FOUND;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "database %s: ", number);
    return false;
}

RedisConn *redis_connect(const RedisUrl *url, const RedisOptions *options, GError **error)
{
    static const RedisOptions standard = { 0 };
    g_autoptr(RedisConn) conn = g_new0(RedisConn, 1);
    g_autoptr(GError) failure = NULL;

    if (!options)
        options = &standard;
    conn->wire = open_wire(url, options, error);
    if (!conn->wire)
        return NULL;
    conn->reader = redis_reader_new();
    conn->reply_max = options->reply_max ? options->reply_max : REPLY_MAX;
    conn->output = g_byte_array_sized_new(OUTPUT);
    conn->input = g_malloc(INPUT);
    if (log_in(conn, url, &failure) && is_ready(conn, &failure) &&
        choose_database(conn, url, &failure))
        return g_steal_pointer(&conn);
    if (strstr(failure->message, redis_conn_place(conn)))
        g_propagate_error(error, g_steal_pointer(&failure));
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                   "%s: ", redis_conn_place(conn));
    return NULL;
}

void redis_conn_free(RedisConn *conn)
{
    if (!conn)
        return;
    redis_reader_free(conn->reader);
    wire_free(conn->wire);
    if (conn->output)
        g_byte_array_unref(conn->output);
    g_free(conn->input);
    g_free(conn);
}

const char *redis_conn_place(const RedisConn *conn)
{
    return wire_place(conn->wire);
}
