/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redisrestore.h"

#include "base/error.h"
#include "source/rdb.h"
#include "source/redisinfo.h"
#include "source/redissink.h"

#include <string.h>

#define OLDEST 5              /* RESTORE ... ABSTTL */
#define DAY    (24 * 60 * 60) /* of whose seconds expiries are counted */

typedef struct {
    RedisSink redis;
    bool clean, prepared;
    uint32_t highest; /* database */
    int64_t began_ms;
    uint64_t written;
    uint64_t sent[65536]; /* keys, by database; the walker takes no higher number of them */
    uint32_t dying[DAY];  /* keys, by the second after began_ms in which they expire */
    RedisRestored *restored;
} RestoreSink;

/* ---- the server ---- */

static uint64_t count_keys(const char *info)
{
    uint64_t n = 0;

    for (const char *line = info; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *keys = g_str_has_prefix(line, "db") ? strstr(line, ":keys=") : NULL;

        if (keys && keys < line + strcspn(line, "\n"))
            n += g_ascii_strtoull(keys + strlen(":keys="), NULL, 10);
    }
    return n;
}

static bool is_fit(const char *info, GError **error)
{
    g_autofree char *version = redis_info_get(info, "redis_version");
    g_autofree char *role = redis_info_get(info, "role");

    if (redis_info_number(info, "cluster_enabled", 0) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_SETUP,
                    "the server is a node of a cluster, which holds only a part of the keys");
        return false;
    }
    if (g_strcmp0(role, "master") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_SETUP,
                    "the server is a replica; restore into its master");
        return false;
    }
    if (version && g_ascii_strtoull(version, NULL, 10) >= OLDEST)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "the server is Redis %s; keys are restored from version %d on", version, OLDEST);
    return false;
}

RedisConn *redis_restore_connect(const RedisRestoreRequest *request, uint64_t *ret_keys,
                                 GError **error)
{
    g_autoptr(RedisUrl) url = redis_url_parse(request->url, error);
    RedisOptions options = { .stall_ms = 5 * 60 * 1000, .cancel = request->cancel };
    g_autoptr(RedisConn) conn = NULL;
    g_autofree char *info = NULL;

    if (!url)
        return NULL;
    if (redis_url_names_database(url)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "each key goes back into its own database; leave the number out of the URL");
        return NULL;
    }
    conn = redis_connect(url, &options, error);
    info = conn ? redis_info(conn, "all", error) : NULL;
    if (!info || !is_fit(info, error))
        return NULL;
    *ret_keys = count_keys(info);
    return g_steal_pointer(&conn);
}

bool redis_restore_look(const RedisRestoreRequest *request, uint64_t *ret_keys, GError **error)
{
    g_autoptr(RedisConn) conn = redis_restore_connect(request, ret_keys, error);

    return conn != NULL;
}

/* ---- before the first key ---- */

/* Only now is the version of the file known. Nothing is flushed before the server took a value of
 * that version, into the highest database. */
static bool prepare(RestoreSink *sink, GError **error)
{
    if (sink->prepared)
        return true;
    sink->prepared = true;
    redis_put_version(sink->redis.put, rdb_version(sink->redis.walker));
    if (!redis_put_probe(sink->redis.put, sink->highest, error))
        return false;
    return !sink->clean ||
           redis_ask(sink->redis.conn, (const char *const[]){ "FLUSHALL", NULL }, NULL, error);
}

/* ---- what the walker sees ---- */

static bool see_key(void *user, const RdbKey *key, GError **error)
{
    RestoreSink *sink = user;
    int64_t second = (key->expire_ms - sink->began_ms) / 1000;

    if (!prepare(sink, error))
        return false;
    if (key->expire_ms >= 0 && key->expire_ms <= sink->began_ms) {
        sink->restored->expired++;
        redis_put_skip(sink->redis.put);
        return true;
    }
    if (key->database >= G_N_ELEMENTS(sink->sent)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "database %u: no server has so many",
                    key->database);
        return false;
    }
    sink->sent[key->database]++;
    sink->restored->keys++;
    if (key->expire_ms >= 0 && second < DAY)
        sink->dying[second]++;
    redis_put_begin(sink->redis.put, key);
    return true;
}

static bool see_value(void *user, const void *data, size_t len, GError **error)
{
    return redis_put_piece(((RestoreSink *)user)->redis.put, data, len, error);
}

static bool see_end(void *user, GError **error)
{
    return redis_put_end(((RestoreSink *)user)->redis.put, error);
}

static bool see_function(void *user, const char *code, size_t len, GError **error)
{
    RestoreSink *sink = user;
    const RedisArg args[] = { { "FUNCTION", 8 }, { "LOAD", 4 }, { "REPLACE", 7 }, { code, len } };
    const RedisArg careful[] = { args[0], args[1], args[3] };

    if (!prepare(sink, error))
        return false;
    sink->restored->functions++;
    if (sink->clean ? redis_command(sink->redis.conn, args, 4, NULL, error)
                    : redis_command(sink->redis.conn, careful, 3, NULL, error))
        return true;
    g_prefix_error(error, "functions: ");
    return false;
}

/* ---- comparing ---- */

/* How many of the keys may be gone by now. */
static bool count_dying(RestoreSink *sink, uint64_t *ret_n, GError **error)
{
    int64_t now_ms, last;

    if (!redis_time(sink->redis.conn, &now_ms, error))
        return false;
    *ret_n = 0;
    last = MIN((now_ms - sink->began_ms) / 1000 + 1, DAY - 1);
    for (int64_t second = 0; second <= last; second++)
        *ret_n += sink->dying[second];
    return true;
}

static bool differs(GError **error, const char *what, uint64_t got, uint64_t want)
{
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: the server has %" G_GUINT64_FORMAT " keys, %" G_GUINT64_FORMAT
                " were restored; does somebody write there, or maxmemory evict?",
                what, got, want);
    return false;
}

static bool compare(RestoreSink *sink, GError **error)
{
    g_autofree char *info = redis_info(sink->redis.conn, "keyspace", error);
    uint64_t dying, total;

    if (!info || !count_dying(sink, &dying, error))
        return false;
    total = count_keys(info);
    for (guint i = 0; i < G_N_ELEMENTS(sink->sent); i++) {
        g_autofree char *name = sink->sent[i] ? g_strdup_printf("db%u", i) : NULL;
        g_autofree char *line = name ? redis_info_get(info, name) : NULL;
        uint64_t got = line ? g_ascii_strtoull(line + strlen("keys="), NULL, 10) : 0;

        if (name && (got > sink->sent[i] || got + dying < sink->sent[i]))
            return differs(error, name, got, sink->sent[i]);
    }
    if (total > sink->restored->keys || total + dying < sink->restored->keys)
        return differs(error, "all databases", total, sink->restored->keys);
    return true;
}

/* ---- the sink ---- */

static bool restore_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    if (!S_ISREG(entry->node->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: not a file", entry->path);
        return false;
    }
    *ret_handle = base;
    return true;
}

static bool feed(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    size_t used;

    if (!rdb_feed(sink->redis.walker, data, len, &used, error))
        return false;
    sink->written += len;
    if (used == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump.rdb: bytes behind its end");
    return false;
}

static bool restore_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                          GError **error)
{
    static const char zeros[64 * 1024];
    RestoreSink *sink = (RestoreSink *)base;

    (void)handle;
    while (sink->written < offset)
        if (!feed(sink, zeros, MIN(sizeof zeros, offset - sink->written), error))
            return false;
    return feed(sink, data, len, error);
}

static bool restore_finish(Sink *base, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    return rdb_finish(sink->redis.walker, error) && prepare(sink, error) &&
           redis_put_finish(sink->redis.put, error) && compare(sink, error);
}

static void restore_free(Sink *base)
{
    RestoreSink *sink = (RestoreSink *)base;

    redis_sink_done(&sink->redis);
    g_free(sink);
}

static const SinkOps restore_ops = {
    .name = "redis",
    .begin = restore_begin,
    .write = restore_write,
    .end = redis_sink_end,
    .abandon = redis_sink_abandon,
    .finish = restore_finish,
    .free = restore_free,
};

Sink *redis_restore_sink_new(const RedisRestoreRequest *request, RedisRestored *restored,
                             GError **error)
{
    uint64_t keys;
    g_autoptr(RedisConn) conn = redis_restore_connect(request, &keys, error);
    RestoreSink *sink;
    int64_t now_ms;

    if (!conn || !redis_time(conn, &now_ms, error))
        return NULL;
    if (keys > 0 && !request->clean) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "the server holds %" G_GUINT64_FORMAT
                    " keys; --clean removes all that it has, in all databases",
                    keys);
        return NULL;
    }
    *restored = (RedisRestored){ 0 };
    sink = g_new0(RestoreSink, 1);
    redis_sink_init(&sink->redis, &restore_ops, g_steal_pointer(&conn),
                    &(RdbVisitor){ see_key, see_value, see_end, see_function, sink });
    sink->clean = request->clean;
    sink->highest = request->database;
    sink->began_ms = now_ms;
    sink->restored = restored;
    return &sink->redis.base;
}
