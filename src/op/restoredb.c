/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoredb.h"

#include "base/error.h"
#include "base/log.h"
#include "flow/reader.h"
#include "pg/url.h"
#include "repo/pack.h"
#include "repo/walk.h"
#include "source/pgglobals.h"
#include "source/pgrestore.h"
#include <string.h>

#define MANIFEST_MAX (256u * 1024 * 1024)
#define GLOBALS_MAX  (256u * 1024 * 1024)

typedef struct {
    OpenRepo *open;
    const RestoreDbRequest *request;
    const RestoreDbWatch *watch;
    const Cancel *cancel;
    Id tree;      /* of the source's top folder */
    char *folder; /* its path: "/postgresql-db1-app" */
    json_t *manifest;
} Run;

/* ---- reading small files ---- */

static bool load_file(Run *run, const char *name, size_t bound, GBytes **ret_bytes, GError **error)
{
    if (walk_read(run->open->repo, &run->tree, name, bound, ret_bytes, error))
        return true;
    g_prefix_error(error, "%s: ", run->folder);
    return false;
}

static bool is_of_cluster(const json_t *manifest)
{
    const json_t *source = json_object_get(manifest, "source");

    return g_strcmp0(json_string_value(json_object_get(source, "kind")), "pgcluster") == 0;
}

static bool load_manifest(Run *run, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    json_error_t problem;

    if (!load_file(run, "manifest.json", MANIFEST_MAX, &text, error)) {
        g_prefix_error(error, "the snapshot holds no database dump (for files: --target DIR): ");
        return false;
    }
    run->manifest = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                               JSON_REJECT_DUPLICATES, &problem);
    if (is_of_cluster(run->manifest)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds the files of a whole server, no dump; restore them with "
                    "--target DIR");
        return false;
    }
    if (!run->manifest || !json_is_array(json_object_get(run->manifest, "databases"))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s/manifest.json: %s", run->folder,
                    run->manifest ? "has no list of databases" : problem.text);
        return false;
    }
    return true;
}

/* The one folder at the root of a snapshot of a database. */
static bool find_folder(Run *run, const Snapshot *snapshot, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(run->open->repo);
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Tree) tree = NULL;
    const Node *top = NULL;
    const char *data;
    gsize len;

    if (!blob_load(run->open->repo, opener, BLOB_TREE, &snapshot->tree, &text, error))
        return false;
    data = g_bytes_get_data(text, &len);
    if (!tree_decode(data, len, &tree, error))
        return false;
    if (tree->nodes->len == 1)
        top = g_ptr_array_index(tree->nodes, 0);
    if (!top || !S_ISDIR(top->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "snapshot %s holds no database; restore its files with --target DIR",
                    id_short(&snapshot->id).text);
        return false;
    }
    run->tree = top->subtree;
    run->folder = g_strconcat("/", top->name, NULL);
    return true;
}

/* ---- choosing ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_wanted(const Run *run, const json_t *database, const char *file)
{
    const char *name = text_of(database, "name");

    if (file)
        return strcmp(file, text_of(database, "file")) == 0;
    return !run->request->databases ||
           g_strv_contains((const char *const *)run->request->databases, name);
}

/* Of json_t, borrowed from the manifest. file: from SNAPSHOT:PATH, or NULL. */
static GPtrArray *choose(Run *run, const char *file, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    size_t i;
    json_t *database;

    json_array_foreach(json_object_get(run->manifest, "databases"), i, database)
    {
        if (is_wanted(run, database, file))
            g_ptr_array_add(chosen, database);
    }
    if (chosen->len == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "the snapshot has no such database; `backstay ls` shows what it has");
        return NULL;
    }
    for (char **name = run->request->databases; name && *name && !file; name++) {
        bool found = false;

        for (guint k = 0; k < chosen->len; k++)
            found = found || strcmp(text_of(g_ptr_array_index(chosen, k), "name"), *name) == 0;
        if (!found) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the snapshot has no database \"%s\"",
                        *name);
            return NULL;
        }
    }
    return g_steal_pointer(&chosen);
}

static bool one_target(const Run *run, const GPtrArray *chosen, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(run->request->url, error);

    if (!url)
        return false;
    if (chosen->len > 1 && pg_url_database(url)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%u databases cannot go into one; choose with --database, or give a URL "
                    "without a database",
                    chosen->len);
        return false;
    }
    return true;
}

/* ---- restoring ---- */

static RestoredDb describe(const RestoreDbRequest *request, const json_t *database)
{
    RestoredDb result = { .name = text_of(database, "name"),
                          .counted = json_object_get(database, "tables") != NULL,
                          .partial = request->tables || request->schemas,
                          .size = (uint64_t)json_integer_value(json_object_get(database, "size")) };
    size_t i;
    json_t *table;

    json_array_foreach(json_object_get(database, "tables"), i, table)
    {
        result.tables++;
        result.rows += (uint64_t)MAX(json_integer_value(json_object_get(table, "rows")), 0);
    }
    return result;
}

static bool push_dump(Run *run, const char *file, Sink *sink, GError **error)
{
    ReaderOptions options = { .progress = run->watch->progress };
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(run->open->repo, &run->tree, file, &node, &ignored, error))
        return false;
    if (!node) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s/%s is not in the snapshot",
                    run->folder, file);
        return false;
    }
    return reader_run_node(run->open->repo, node, run->folder, sink, &options, run->cancel,
                           error) &&
           sink_finish(sink, error);
}

/* All that a restore looks at before its first change. */
static bool look(Run *run, PgRestoreRequest *restore, const char *file, RestoredDb *result,
                 GError **error)
{
    PgPreview preview = { 0 };
    g_autoptr(GError) end = NULL;
    g_autoptr(Sink) sink = NULL;

    restore->preview = &preview;
    sink = pg_restore_sink_new(restore, error);
    if (!sink)
        return false;
    if (!push_dump(run, file, sink, &end) && !g_error_matches(end, BS_ERROR, BS_ERROR_SOFT_SKIP)) {
        g_propagate_error(error, g_steal_pointer(&end));
        return false;
    }
    result->target_absent = preview.absent;
    result->target_objects = preview.objects;
    return true;
}

static bool restore_into(Run *run, PgRestoreRequest *restore, const char *file, GError **error)
{
    g_autoptr(Sink) sink = pg_restore_sink_new(restore, error);

    return sink && push_dump(run, file, sink, error);
}

static bool restore_one(Run *run, const json_t *database, GError **error)
{
    const RestoreDbRequest *request = run->request;
    const char *file = text_of(database, "file");
    RestoredDb result = describe(request, database);
    PgRestoreRequest restore = {
        .url = request->url,
        .clean = request->clean,
        .create = request->create,
        .force = request->force,
        .no_owner = request->no_owner,
        .no_acl = request->no_acl,
        .jobs = request->jobs,
        .tables = request->tables,
        .schemas = request->schemas,
        .recorded = database,
        .note = run->watch->note,
        .user = run->watch->user,
        .cancel = run->cancel,
    };

    if (!(request->preview ? look(run, &restore, file, &result, error)
                           : restore_into(run, &restore, file, error))) {
        g_prefix_error(error, "restore %s: ", result.name);
        return false;
    }
    run->watch->restored(&result, run->watch->user);
    return true;
}

static bool restore_globals(Run *run, GError **error)
{
    g_autoptr(GBytes) sql = NULL;
    unsigned failed = 0;

    if (!run->request->globals || run->request->preview)
        return true;
    if (!load_file(run, "globals.sql", GLOBALS_MAX, &sql, error) ||
        !pg_restore_globals(run->request->url, g_bytes_get_data(sql, NULL), g_bytes_get_size(sql),
                            run->watch->note, run->watch->user, run->cancel, &failed, error)) {
        g_prefix_error(error, "restore roles and tablespaces: ");
        return false;
    }
    return true;
}

static bool restore_all(Run *run, const char *file, GError **error)
{
    g_autoptr(GPtrArray) chosen = choose(run, file, error);

    if (!chosen || !one_target(run, chosen, error) || !restore_globals(run, error))
        return false;
    for (guint i = 0; i < chosen->len; i++)
        if (!cancel_check(run->cancel, error) ||
            !restore_one(run, g_ptr_array_index(chosen, i), error))
            return false;
    return true;
}

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

bool op_restore_db(OpenRepo *open, const RestoreDbRequest *request, const RestoreDbWatch *watch,
                   const Cancel *cancel, Id *ret_snapshot, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *path = NULL;
    Run run = { .open = open, .request = request, .watch = watch, .cancel = cancel };
    const char *file;
    bool ok;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &path, error) ||
        !repo_load_index(open->repo, cancel, error))
        return false;
    file = path ? strrchr(path, '/') : NULL;
    ok = find_folder(&run, snapshot, error) && load_manifest(&run, error) &&
         restore_all(&run, file ? file + 1 : path, error);
    json_decref(run.manifest);
    g_free(run.folder);
    if (ok)
        *ret_snapshot = snapshot->id;
    return ok;
}
