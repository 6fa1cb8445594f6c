/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redis.h"

#include "base/error.h"
#include "codec/hash.h"
#include "pg/url.h"
#include "source/pgfacts.h"
#include "source/pgpush.h"
#include "source/redisfacts.h"
#include "source/redisinfo.h"
#include "source/redisstream.h"

#include <string.h>

#define READ_LEN (1u << 20)
/* A server says every ten seconds that it is still writing its copy; one that is forking, or whose
 * disk is slow, says nothing. */
#define STALL_MS (5 * 60 * 1000)

typedef struct {
    Source base;
    RedisUrl *url;
    RedisConn *asking, *sending; /* once it is prepared */
    RedisStream *held;           /* of one moment; NULL: of that of the backup */
} RedisSource;

/* One backup. */
typedef struct {
    RedisSource *source;
    PgPush push; /* entries are the same, whoever gives their content */
    RedisConn *asking, *sending;
    RedisStream *stream;
    RdbWalker *walker;
    json_t *manifest;
} Backup;

static void backup_done(Backup *backup)
{
    redis_stream_free(backup->stream);
    redis_conn_free(backup->asking);
    redis_conn_free(backup->sending);
    rdb_walker_free(backup->walker);
    json_decref(backup->manifest);
    pg_push_done(&backup->push);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Backup, backup_done)

static RedisConn *log_in(const RedisSource *source, const Cancel *cancel, GError **error)
{
    RedisOptions options = { .stall_ms = STALL_MS, .cancel = cancel };

    return redis_connect(source->url, &options, error);
}

static bool add_advice(GError **error)
{
    if (g_error_matches(*error, BS_ERROR, BS_ERROR_DENIED)) {
        (*error)->code = BS_ERROR_AUTH;
        g_prefix_error(error, "this login may not back up; \"ACL SETUSER name +psync +replconf "
                              "+info\" allows it: ");
    }
    return false;
}

/* ---- the server ---- */

/* A replica that lost its master holds what was true once. */
static bool is_current(const char *info, GError **error)
{
    g_autofree char *link = redis_info_get(info, "master_link_status");

    if (!link || strcmp(link, "up") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                "the server is a replica that has lost its master (master_link_status:%s), so its "
                "data are old; back up the master, or mend the link",
                link);
    return false;
}

static bool ask_server(Backup *backup, GError **error)
{
    g_autofree char *info = NULL;

    backup->asking = log_in(backup->source, backup->push.run->cancel, error);
    info = backup->asking ? redis_info(backup->asking, "all", error) : NULL;
    if (!info)
        return backup->asking ? add_advice(error) : false;
    (void)json_object_set_new(backup->manifest, "server", redis_facts_server(info));
    return is_current(info, error);
}

static bool may_not_replicate(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

static bool take_held(Backup *backup, GError **error)
{
    backup->sending = g_steal_pointer(&backup->source->sending);
    backup->stream = g_steal_pointer(&backup->source->held);
    return redis_stream_await(backup->stream, backup->asking, error);
}

/* In the order of how little they ask of the server. */
static bool begin_copy(Backup *backup, GError **error)
{
    g_autoptr(GError) failure = NULL;

    progress_current(backup->push.run->progress, "waiting for the server's copy");
    if (backup->source->held)
        return take_held(backup, error);
    backup->sending = log_in(backup->source, backup->push.run->cancel, error);
    if (!backup->sending)
        return false;
    backup->stream = redis_stream_replica(backup->sending, &failure);
    if (!backup->stream && may_not_replicate(failure)) {
        g_clear_error(&failure);
        backup->stream = redis_stream_saved(backup->asking, backup->push.run->cancel, &failure);
    }
    if (backup->stream)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return add_advice(error);
}

/* A copy that went over the server's disk is one of its saves; for any other the last save tells
 * how its disk is, not how the copy is. */
static bool server_agrees(Backup *backup, GError **error)
{
    g_autofree char *info = redis_info(backup->asking, "persistence", error);
    g_autofree char *status = info ? redis_info_get(info, "rdb_last_bgsave_status") : NULL;

    if (!info)
        return false;
    if (g_strcmp0(status, "ok") == 0)
        return true;
    if (strcmp(redis_stream_method(backup->stream), "diskless replica") == 0) {
        g_ptr_array_add(backup->source->base.notes,
                        g_strdup("the server's own last save failed (rdb_last_bgsave_status); this "
                                 "copy is whole, but the server would lose its data"));
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "the server says that its last save failed (rdb_last_bgsave_status:%s)",
                status ? status : "");
    return false;
}

/* ---- entries ---- */

static bool copy_all(Backup *backup, void *handle, Hash *hash, GError **error)
{
    g_autofree char *buffer = g_malloc(READ_LEN);
    uint64_t offset = 0;
    ssize_t n;

    while ((n = redis_stream_read(backup->stream, backup->walker, buffer, READ_LEN, error)) > 0) {
        hash_update(hash, buffer, (size_t)n);
        if (!sink_write(backup->push.sink, handle, offset, buffer, (size_t)n, error))
            return false;
        offset += (uint64_t)n;
    }
    return n == 0 && rdb_finish(backup->walker, error);
}

static bool push_copy(Backup *backup, GError **error)
{
    static const char name[] = "dump.rdb";
    g_autoptr(Hash) hash = hash_new();
    json_t *file;
    void *handle;
    Id sha256;

    if (!pg_push_begin(&backup->push, name, S_IFREG | 0600, &handle, error))
        return false;
    if (!copy_all(backup, handle, hash, error) || !server_agrees(backup, error)) {
        sink_abandon(backup->push.sink, handle);
        return false;
    }
    hash_final(hash, &sha256);
    file = redis_facts_file(backup->walker);
    pg_facts_add_file(file, name, rdb_size(backup->walker), &sha256);
    (void)json_object_set_new(backup->manifest, "rdb", file);
    return pg_push_end_file(&backup->push, handle, name, rdb_size(backup->walker), error);
}

static bool push_manifest(Backup *backup, GError **error)
{
    (void)json_object_set_new(backup->manifest, "copy", redis_facts_copy(backup->stream));
    (void)json_object_set_new(backup->manifest, "databases", redis_facts_databases(backup->walker));
    return pg_push_manifest(&backup->push, backup->manifest, error);
}

/* ---- the source ---- */

static bool backup_all(Backup *backup, GError **error)
{
    void *top;

    if (!ask_server(backup, error) || !begin_copy(backup, error) ||
        !pg_push_begin(&backup->push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (!push_copy(backup, error) || !push_manifest(backup, error)) {
        sink_abandon(backup->push.sink, top);
        return false;
    }
    return sink_end(backup->push.sink, top, NULL, error);
}

static bool redis_backup(Source *base, Sink *sink, const SourceRun *run, GError **error)
{
    RedisSource *source = (RedisSource *)base;
    g_auto(Backup)
        backup = { .source = source, .walker = rdb_walker_new(NULL), .manifest = json_object() };

    pg_push_init(&backup.push, base->name, sink, run);
    (void)json_object_set_new(backup.manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(backup.manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(backup.manifest, "source",
                              redis_facts_source(base->name, source->url));
    (void)json_object_set_new(backup.manifest, "started", pg_facts_time(backup.push.time));
    source_add_facts(base, backup.manifest);
    if (backup_all(&backup, error))
        return true;
    g_prefix_error(error, "%s: ", base->name);
    return false;
}

static bool redis_prepare(Source *base, const Cancel *cancel, GError **error)
{
    RedisSource *source = (RedisSource *)base;
    g_autofree char *info = NULL;

    source->asking = log_in(source, cancel, error);
    source->sending = source->asking ? log_in(source, cancel, error) : NULL;
    info = source->sending ? redis_info(source->asking, "replication", error) : NULL;
    return info && is_current(info, error);
}

static bool redis_open(Source *base, const Cancel *cancel, SourceHold *ret_hold, GError **error)
{
    RedisSource *source = (RedisSource *)base;
    g_autofree char *info = redis_info(source->asking, "replication", error);
    g_autoptr(GError) failure = NULL;

    if (!info)
        return false;
    *ret_hold = SOURCE_MOMENT;
    source->held = redis_stream_fork(source->sending,
                                     redis_info_number(info, "master_repl_offset", -1), &failure);
    if (!source->held && may_not_replicate(failure)) {
        g_clear_error(&failure);
        source->held = redis_stream_save(source->asking, cancel, &failure);
    }
    if (source->held)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return add_advice(error);
}

static void redis_free(Source *base)
{
    RedisSource *source = (RedisSource *)base;

    redis_stream_free(source->held);
    redis_conn_free(source->asking);
    redis_conn_free(source->sending);
    redis_url_free(source->url);
    g_free(source);
}

static const SourceOps redis_ops = {
    .kind = "redis",
    .prepare = redis_prepare,
    .open = redis_open,
    .backup = redis_backup,
    .free = redis_free,
};

Source *redis_source_new(const char *url, const char *name, GError **error)
{
    g_autoptr(RedisUrl) parsed = redis_url_parse(url, error);
    g_autofree char *plain = NULL;
    RedisSource *source;

    if (!parsed)
        return NULL;
    if (redis_url_names_database(parsed)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "a Redis server is backed up with all its databases; leave the number out of "
                    "the URL");
        return NULL;
    }
    if (name && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !*name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" cannot be the name of a source", name);
        return NULL;
    }
    plain = name ? g_strdup(name) : redis_url_server_name(parsed);
    source = g_new0(RedisSource, 1);
    source_init(&source->base, &redis_ops, pg_escape_name(plain));
    source->url = g_steal_pointer(&parsed);
    return &source->base;
}
