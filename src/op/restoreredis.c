/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoreredis.h"

#include "base/error.h"
#include "base/log.h"
#include "op/kindsnapshot.h"
#include "source/redismodules.h"

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

static const SourceKind redis_kind = { "redis", "a Redis server" };

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)MAX(json_integer_value(json_object_get(object, key)), 0);
}

static RedisRestored counted(const json_t *manifest)
{
    RedisRestored all = { .functions = number_of(json_object_get(manifest, "rdb"), "functions") };
    const json_t *database;
    size_t i;

    json_array_foreach(json_object_get(manifest, "databases"), i, database)
    {
        all.keys += number_of(database, "keys");
    }
    return all;
}

/* The highest with keys. A server that has fewer is to be found out before it loses anything. */
static uint32_t highest_database(const json_t *manifest)
{
    const json_t *database;
    uint64_t highest = 0;
    size_t i;

    json_array_foreach(json_object_get(manifest, "databases"), i, database)
    {
        if (number_of(database, "keys") > 0)
            highest = MAX(highest, number_of(database, "number"));
    }
    return (uint32_t)MIN(highest, UINT32_MAX);
}

/* And so is one that cannot load what modules have written. */
static bool try_modules(const KindSnapshot *from, const RedisRestoreRequest *request,
                        const Cancel *cancel, GError **error)
{
    const json_t *file = json_object_get(from->manifest, "rdb");
    g_autoptr(Sink) sink = NULL;

    if (json_array_size(json_object_get(file, "modules")) == 0)
        return true;
    sink = redis_modules_sink_new(request, error);
    return sink && kind_snapshot_push(from, "dump.rdb", sink, NULL, cancel, error);
}

/* What the backup counted is what the file holds, or it is another file. */
static bool same_count(const RedisRestored *got, const RedisRestored *want, GError **error)
{
    if (got->keys + got->expired == want->keys && got->functions == want->functions)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "dump.rdb holds %" G_GUINT64_FORMAT " keys, its manifest says %" G_GUINT64_FORMAT,
                got->keys + got->expired, want->keys);
    return false;
}

bool op_restore_redis(OpenRepo *open, const RestoreRedisRequest *request, Progress *progress,
                      const Cancel *cancel, RestoreRedisResult *ret_result, GError **error)
{
    RedisRestoreRequest restore = { .url = request->url,
                                    .clean = request->clean,
                                    .cancel = cancel };
    g_autoptr(Snapshot) snapshot = NULL;
    g_auto(KindSnapshot) from = { 0 };
    g_autofree char *subpath = NULL;
    g_autoptr(Sink) sink = NULL;
    RestoreRedisResult result = { 0 };
    RedisRestored recorded;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &subpath, error) ||
        !repo_load_index(open->repo, cancel, error) ||
        !kind_snapshot_open(open->repo, snapshot, &redis_kind, &from, error))
        return false;
    recorded = counted(from.manifest);
    restore.database = highest_database(from.manifest);
    result.snapshot = snapshot->id;
    if (!restore_facts(request->facts, snapshot, from.manifest, cancel, error))
        return false;
    if (request->preview) {
        result.restored = recorded;
        if (!redis_restore_look(&restore, &result.target_keys, error))
            return false;
    } else {
        // first this one, for it also sees whether the server may be written to at all
        sink = redis_restore_sink_new(&restore, &result.restored, error);
        if (!sink || !try_modules(&from, &restore, cancel, error) ||
            !kind_snapshot_push(&from, "dump.rdb", sink, progress, cancel, error) ||
            !same_count(&result.restored, &recorded, error))
            return false;
    }
    *ret_result = result;
    return true;
}
