/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoreredis.h"

#include "base/error.h"
#include "base/log.h"
#include "flow/reader.h"
#include "repo/walk.h"
#include <jansson.h>

#define MANIFEST_MAX (16u * 1024 * 1024)

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

/* The one folder at the root of a snapshot of a server. */
static bool find_folder(OpenRepo *open, const Snapshot *snapshot, Id *ret_tree, char **ret_folder,
                        GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(open->repo);
    g_autoptr(Tree) tree = NULL;
    const Node *top = NULL;

    if (!walk_load(open->repo, opener, &snapshot->tree, &tree, error))
        return false;
    if (tree->nodes->len == 1)
        top = g_ptr_array_index(tree->nodes, 0);
    if (!top || !S_ISDIR(top->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "snapshot %s is not of a Redis server; restore its files with --target DIR",
                    id_short(&snapshot->id).text);
        return false;
    }
    *ret_tree = top->subtree;
    *ret_folder = g_strconcat("/", top->name, NULL);
    return true;
}

static json_t *load_manifest(OpenRepo *open, const Id *folder, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    const char *kind;
    json_t *manifest;

    if (!walk_read(open->repo, folder, "manifest.json", MANIFEST_MAX, &text, error)) {
        g_prefix_error(error, "the snapshot is not of a Redis server (files: --target DIR): ");
        return NULL;
    }
    manifest = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                          JSON_REJECT_DUPLICATES, NULL);
    kind = json_string_value(json_object_get(json_object_get(manifest, "source"), "kind"));
    if (g_strcmp0(kind, "redis") == 0)
        return manifest;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the snapshot is not of a Redis server, but of kind %s", kind ? kind : "unknown");
    json_decref(manifest);
    return NULL;
}

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

static bool push(OpenRepo *open, const Id *folder, const char *path, Sink *sink, Progress *progress,
                 const Cancel *cancel, GError **error)
{
    ReaderOptions options = { .progress = progress };
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(open->repo, folder, "dump.rdb", &node, &ignored, error))
        return false;
    if (!node) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s/dump.rdb is not in the snapshot",
                    path);
        return false;
    }
    return reader_run_node(open->repo, node, path, sink, &options, cancel, error) &&
           sink_finish(sink, error);
}

bool op_restore_redis(OpenRepo *open, const RestoreRedisRequest *request, Progress *progress,
                      const Cancel *cancel, RestoreRedisResult *ret_result, GError **error)
{
    RedisRestoreRequest restore = { request->url, request->clean, cancel };
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL, *path = NULL;
    g_autoptr(Sink) sink = NULL;
    RestoreRedisResult result = { 0 };
    RedisRestored recorded;
    json_t *manifest;
    Id folder;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &subpath, error) ||
        !repo_load_index(open->repo, cancel, error) ||
        !find_folder(open, snapshot, &folder, &path, error))
        return false;
    manifest = load_manifest(open, &folder, error);
    if (!manifest)
        return false;
    recorded = counted(manifest);
    json_decref(manifest);
    result.snapshot = snapshot->id;
    if (request->preview) {
        result.restored = recorded;
        if (!redis_restore_look(&restore, &result.target_keys, error))
            return false;
    } else {
        sink = redis_restore_sink_new(&restore, &result.restored, error);
        if (!sink || !push(open, &folder, path, sink, progress, cancel, error) ||
            !same_count(&result.restored, &recorded, error))
            return false;
    }
    *ret_result = result;
    return true;
}
