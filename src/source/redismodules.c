/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redismodules.h"

#include "base/error.h"
#include "source/rdb.h"
#include "source/rdbtypes.h"
#include "source/redissink.h"
#include <string.h>

#define TYPE_LEN 9 /* as it is written: what length it has, and a number of 64 bits */

typedef struct {
    RedisSink redis;
    GHashTable *tried; /* of the numbers of types, as texts */
    uint8_t id[TYPE_LEN];
    size_t have; /* bytes of it */
    bool wanted; /* the value at hand is tried at its end */
    char *name;  /* under which */
} ModulesSink;

/* ---- what the walker sees ---- */

static bool see_key(void *user, const RdbKey *key, GError **error)
{
    ModulesSink *sink = user;
    g_autofree char *random = g_uuid_string_random();
    RdbKey probe = *key;

    (void)error;
    sink->wanted = key->type == RDB_MODULE;
    sink->have = 0;
    if (!sink->wanted) {
        redis_put_skip(sink->redis.put);
        return true;
    }
    g_free(sink->name);
    sink->name = g_strconcat("backstay:probe:", random, NULL);
    probe.text = sink->name;
    probe.len = strlen(sink->name);
    probe.expire_ms = probe.idle_s = -1;
    probe.frequency = -1;
    redis_put_version(sink->redis.put, rdb_version(sink->redis.walker));
    redis_put_begin(sink->redis.put, &probe);
    return true;
}

static char *type_of(const ModulesSink *sink)
{
    char name[RDB_MODULE_NAME];
    uint64_t id = 0;

    for (size_t i = 1; i < TYPE_LEN; i++)
        id = id << 8 | sink->id[i];
    rdb_module_name(id, name);
    return g_strdup(name);
}

static bool see_value(void *user, const void *data, size_t len, GError **error)
{
    ModulesSink *sink = user;
    size_t n = MIN(len, TYPE_LEN - sink->have);

    if (sink->wanted && n > 0) {
        memcpy(sink->id + sink->have, data, n);
        sink->have += n;
        if (sink->have == TYPE_LEN) {
            g_autofree char *type = type_of(sink);

            sink->wanted = g_hash_table_add(sink->tried, g_steal_pointer(&type));
        }
        if (!sink->wanted)
            redis_put_skip(sink->redis.put);
    }
    return redis_put_piece(sink->redis.put, data, len, error);
}

static bool see_end(void *user, GError **error)
{
    ModulesSink *sink = user;
    g_autoptr(GError) failure = NULL;
    g_autofree char *type = NULL;

    if (!sink->wanted)
        return true;
    if (redis_put_end(sink->redis.put, &failure) && redis_put_finish(sink->redis.put, &failure))
        return redis_ask(sink->redis.conn, (const char *const[]){ "DEL", sink->name, NULL }, NULL,
                         error);
    type = type_of(sink);
    if (!strstr(failure->message, "Bad data format")) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_set_error(
        error, BS_ERROR, BS_ERROR_SETUP,
        "the server lacks the module that has the type \"%s\", or has an older one; load it "
        "there first (rdb.modules in the manifest names all)",
        type);
    return false;
}

/* ---- the sink ---- */

static bool modules_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    (void)entry, (void)error;
    *ret_handle = base;
    return true;
}

static bool modules_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                          GError **error)
{
    ModulesSink *sink = (ModulesSink *)base;
    size_t used;

    (void)handle;
    if (offset == rdb_size(sink->redis.walker) && !rdb_ended(sink->redis.walker))
        return rdb_feed(sink->redis.walker, data, len, &used, error);
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump.rdb: bytes where it has none");
    return false;
}

static bool modules_finish(Sink *base, GError **error)
{
    return rdb_finish(((ModulesSink *)base)->redis.walker, error);
}

static void modules_free(Sink *base)
{
    ModulesSink *sink = (ModulesSink *)base;

    redis_sink_done(&sink->redis);
    g_hash_table_unref(sink->tried);
    g_free(sink->name);
    g_free(sink);
}

static const SinkOps modules_ops = {
    .name = "redis modules",
    .begin = modules_begin,
    .write = modules_write,
    .end = redis_sink_end,
    .abandon = redis_sink_abandon,
    .finish = modules_finish,
    .free = modules_free,
};

Sink *redis_modules_sink_new(const RedisRestoreRequest *request, GError **error)
{
    uint64_t keys;
    RedisConn *conn = redis_restore_connect(request, &keys, error);
    ModulesSink *sink;

    if (!conn)
        return NULL;
    sink = g_new0(ModulesSink, 1);
    redis_sink_init(&sink->redis, &modules_ops, conn,
                    &(RdbVisitor){ see_key, see_value, see_end, NULL, sink });
    sink->tried = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return &sink->redis.base;
}
