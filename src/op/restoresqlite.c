/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoresqlite.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "codec/hash.h"
#include "flow/pipesink.h"
#include "op/kindsnapshot.h"
#include "source/sqliteplace.h"
#include <fcntl.h>
#include <string.h>

#define READ_LEN (256u * 1024)

static const SourceKind sqlite_kind = { "sqlite", "an SQLite database" };

typedef struct {
    const KindSnapshot *from;
    const char *file;
    Progress *progress;
    const Cancel *cancel;
} Filling;

void restore_sqlite_result_clear(RestoreSqliteResult *result)
{
    g_free(result->target);
    g_free(result->kept);
    *result = (RestoreSqliteResult){ 0 };
}

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

/* ---- the manifest ---- */

static bool read_manifest(const json_t *manifest, const char **ret_file, Id *ret_sha256,
                          RestoreSqliteResult *result, GError **error)
{
    const json_t *database = json_object_get(manifest, "database"), *table;
    const char *sha256 = json_string_value(json_object_get(database, "sha256"));
    size_t i;

    *ret_file = json_string_value(json_object_get(database, "file"));
    if (!*ret_file || strchr(*ret_file, '/') || !sha256 || !id_parse(sha256, ret_sha256)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "manifest.json does not say what the database is");
        return false;
    }
    result->size = (uint64_t)MAX(json_integer_value(json_object_get(database, "size")), 0);
    json_array_foreach(json_object_get(database, "tables"), i, table)
    {
        result->rows += (uint64_t)MAX(json_integer_value(json_object_get(table, "rows")), 0);
    }
    return true;
}

/* ---- the file ---- */

static bool fill(int fd, void *user, GError **error)
{
    const Filling *filling = user;
    g_autoptr(Outlet) out = outlet_fd_new(fd, "the database", filling->cancel);
    g_autoptr(Sink) sink = pipe_sink_new(out);

    return kind_snapshot_push(filling->from, filling->file, sink, filling->progress,
                              filling->cancel, error) &&
           outlet_finish(out, error);
}

/* The backup's integrity_check was of exactly these bytes. */
static bool is_the_same(const char *path, const Id *sha256, const Cancel *cancel, GError **error)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree uint8_t *buf = g_malloc(READ_LEN);
    g_autoptr(Hash) hash = hash_new();
    size_t len;
    Id found;

    do {
        if (!cancel_check(cancel, error) || !fs_read_full(fd, buf, READ_LEN, &len, path, error))
            return false;
        hash_update(hash, buf, len);
    } while (len == READ_LEN);
    hash_final(hash, &found);
    if (id_equal(&found, sha256))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: what was written is not what was saved; nothing was replaced", path);
    return false;
}

/* Whole and proven beside its place, and only then in it. */
static bool bring_back(const SqlitePlace *place, Filling *filling, const Id *sha256,
                       RestoreSqliteResult *result, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(place->path);
    g_autofree char *name = g_path_get_basename(place->path);
    g_autofree char *fresh_name = g_strconcat(name, "-restoring", NULL);
    g_autofree char *fresh = g_build_filename(directory, fresh_name, NULL);
    fs_autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (!fs_fill_durable_at(fd, fresh_name, fresh, fill, filling, 0600, FS_REPLACE, error))
        return false;
    ok = is_the_same(fresh, sha256, filling->cancel, error) &&
         sqlite_place_take(place, fresh, &result->kept, error);
    if (!ok)
        (void)unlink(fresh);
    return ok;
}

static bool may_replace(const SqlitePlace *place, const RestoreSqliteRequest *request,
                        GError **error)
{
    if (!place->exists || request->force || request->preview)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s exists; with --force it is kept under another name", place->path);
    return false;
}

bool op_restore_sqlite(OpenRepo *open, const RestoreSqliteRequest *request, Progress *progress,
                       const Cancel *cancel, RestoreSqliteResult *ret_result, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_auto(KindSnapshot) from = { 0 };
    g_auto(SqlitePlace) place = { 0 };
    g_autofree char *subpath = NULL;
    RestoreSqliteResult result = { 0 };
    Filling filling = { .from = &from, .progress = progress, .cancel = cancel };
    Id sha256;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &subpath, error) ||
        !repo_load_index(open->repo, cancel, error) ||
        !kind_snapshot_open(open->repo, snapshot, &sqlite_kind, &from, error) ||
        !read_manifest(from.manifest, &filling.file, &sha256, &result, error) ||
        !sqlite_place_look(request->target, request->file, &place, error) ||
        !may_replace(&place, request, error) ||
        !restore_facts(request->facts, snapshot, from.manifest, cancel, error))
        return false;
    if (!request->preview && !bring_back(&place, &filling, &sha256, &result, error))
        return false;
    result.snapshot = snapshot->id;
    result.existed = place.exists;
    result.target = g_strdup(place.path);
    *ret_result = result;
    return true;
}
