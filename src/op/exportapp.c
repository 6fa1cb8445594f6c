/* SPDX-License-Identifier: Apache-2.0 */
#include "op/exportapp.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include "flow/archivesink.h"
#include "flow/reader.h"
#include "op/dbsnapshot.h"
#include "op/exportmanifest.h"
#include "op/exportscript.h"
#include "repo/walk.h"
#include <string.h>

#define GLOBALS_MAX (64u * 1024 * 1024)

typedef struct {
    Repo *repo;
    const GPtrArray *snapshots;
    const ExportRequest *request;
    const Cancel *cancel;
    Sink *sink;
    GHashTable *names; /* set of paths that are written */
    json_t *manifest;
    unsigned n_files; /* snapshots of files */
} App;

/* ---- names ---- */

static const char *kind_of(const Snapshot *snapshot)
{
    const char *kind = snapshot_tag_value(snapshot, "kind");

    return kind ? kind : "files";
}

static bool is_of_files(const Snapshot *snapshot)
{
    return strcmp(kind_of(snapshot), "files") == 0;
}

static const char *source_of(const Snapshot *snapshot)
{
    const char *source = snapshot_tag_value(snapshot, "source");

    return source ? source : snapshot->hostname;
}

static bool claim(App *app, const char *path, GError **error)
{
    if (g_hash_table_add(app->names, g_strdup(path)))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s would be twice in the archive; export the snapshots one by one", path);
    return false;
}

/* ---- entries ---- */

static bool put_node(App *app, const char *path, const Node *node, const void *data, size_t len,
                     GError **error)
{
    Entry entry = { .path = path, .node = node };
    void *handle;

    return sink_begin(app->sink, &entry, &handle, error) &&
           (len == 0 || sink_write(app->sink, handle, 0, data, len, error)) &&
           sink_end(app->sink, handle, NULL, error);
}

static bool put_file(App *app, const char *path, const void *data, size_t len, Timestamp time,
                     GError **error)
{
    g_autoptr(Node) node = export_file_node(path, len, time);

    return put_node(app, path, node, data, len, error);
}

/* ---- databases ---- */

static bool put_globals(App *app, const DbSnapshot *databases, Timestamp time, GError **error)
{
    const json_t *globals = json_object_get(databases->manifest, "globals");
    g_autoptr(GBytes) text = NULL;

    if (!globals)
        return true;
    return claim(app, "database/globals.sql", error) &&
           db_snapshot_read(databases, db_snapshot_text(globals, "file"), GLOBALS_MAX, &text,
                            error) &&
           put_file(app, "database/globals.sql", g_bytes_get_data(text, NULL),
                    g_bytes_get_size(text), time, error);
}

static bool put_databases(App *app, const Snapshot *snapshot, GError **error)
{
    DbSnapshot databases = { 0 };
    g_autoptr(GPtrArray) all = NULL;
    bool ok = db_snapshot_open(app->repo, snapshot, &databases, error) &&
              (all = db_snapshot_choose(&databases, NULL, NULL, error)) &&
              put_globals(app, &databases, snapshot->time, error);

    for (guint i = 0; ok && i < all->len; i++) {
        g_autofree char *name = export_path_name(db_snapshot_text(all->pdata[i], "name"));
        g_autofree char *path = g_strdup_printf("database/%s.sql.gz", name);
        ExportScript script = { .databases = &databases,
                                .database = all->pdata[i],
                                .level = app->request->format.level,
                                .path = path,
                                .time = snapshot->time,
                                .progress = app->request->progress,
                                .cancel = app->cancel };

        ok = claim(app, path, error) && export_script_into(&script, app->sink, error);
    }
    db_snapshot_done(&databases);
    return ok;
}

/* ---- trees ---- */

static bool put_tree(App *app, const Id *tree, const Node *folder, const char *prefix,
                     GError **error)
{
    ReaderOptions options = { .progress = app->request->progress };

    return claim(app, prefix, error) &&
           (!folder || put_node(app, prefix, folder, NULL, 0, error)) &&
           reader_run(app->repo, tree, prefix, app->sink, &options, app->cancel, error);
}

/* One directory that was saved: what is below it. Anything else: with its path. */
static bool put_files(App *app, const Snapshot *snapshot, GError **error)
{
    g_autofree char *name = export_path_name(source_of(snapshot));
    g_autofree char *prefix =
        app->n_files > 1 ? g_strconcat("documents/", name, NULL) : g_strdup("documents");
    g_autoptr(Node) folder = NULL;
    Id ignored;

    if (g_strv_length(snapshot->paths) == 1 &&
        !walk_find(app->repo, &snapshot->tree, snapshot->paths[0], &folder, &ignored, error))
        return false;
    if (folder && S_ISDIR(folder->mode))
        return put_tree(app, &folder->subtree, folder, prefix, error);
    return put_tree(app, &snapshot->tree, NULL, prefix, error);
}

static bool put_other(App *app, const Snapshot *snapshot, GError **error)
{
    g_autofree char *name = export_path_name(source_of(snapshot));
    g_autofree char *prefix = g_strdup_printf("%s/%s", kind_of(snapshot), name);
    g_autoptr(BlobOpener) opener = blob_opener_new(app->repo);
    g_autoptr(Tree) root = NULL;
    const Node *top;

    if (!walk_load(app->repo, opener, &snapshot->tree, &root, error))
        return false;
    top = root->nodes->len == 1 ? root->nodes->pdata[0] : NULL;
    if (top && S_ISDIR(top->mode))
        return put_tree(app, &top->subtree, top, prefix, error);
    return put_tree(app, &snapshot->tree, NULL, prefix, error);
}

static bool put_snapshot(App *app, const Snapshot *snapshot, GError **error)
{
    if (is_of_files(snapshot))
        return put_files(app, snapshot, error);
    if (strcmp(kind_of(snapshot), "postgres") == 0)
        return put_databases(app, snapshot, error);
    return put_other(app, snapshot, error);
}

/* ---- the manifest in it ---- */

static bool describe_snapshot(const App *app, const Snapshot *snapshot, json_t *list,
                              GError **error)
{
    json_t *recorded, *item;
    char taken[RFC3339_MAX];

    if (!export_recorded(app->repo, snapshot, &recorded, error))
        return false;
    rfc3339_format(snapshot->time, taken);
    item = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", id_hex(&snapshot->id).text, "time", taken,
                     "hostname", snapshot->hostname, "source", source_of(snapshot), "kind",
                     kind_of(snapshot));
    if (recorded)
        json_object_set_new(item, "recorded", recorded);
    json_array_append_new(list, item);
    return true;
}

static bool put_manifest(App *app, GError **error)
{
    json_t *list = json_array();
    g_autofree char *text = NULL;
    Timestamp now = clock_now();
    char now_text[RFC3339_MAX];

    rfc3339_format((Timestamp){ .sec = now.sec }, now_text);
    app->manifest =
        json_pack("{s:i, s:s, s:s, s:s, s:o}", "manifest_version", 1, "backstay_version",
                  BS_VERSION, "generated_at", now_text, "format", "app", "snapshots", list);
    for (guint i = 0; i < app->snapshots->len; i++)
        if (!describe_snapshot(app, app->snapshots->pdata[i], list, error))
            return false;
    text = json_dumps(app->manifest, JSON_INDENT(2));
    return put_file(app, "manifest.json", text, strlen(text), now, error);
}

static bool put_all(App *app, GError **error)
{
    for (guint i = 0; i < app->snapshots->len; i++)
        app->n_files += is_of_files(app->snapshots->pdata[i]);
    if (!put_manifest(app, error))
        return false;
    for (guint i = 0; i < app->snapshots->len; i++)
        if (!put_snapshot(app, app->snapshots->pdata[i], error))
            return false;
    return sink_finish(app->sink, error);
}

bool export_app_into(Repo *repo, const GPtrArray *snapshots, const ExportRequest *request,
                     Outlet *out, const Cancel *cancel, Exported *exported, GError **error)
{
    OutletCount count = { 0 };
    g_autoptr(Outlet) way = export_way_out(request, out, &count, &exported->recipients, error);
    g_autoptr(Sink) sink = way ? archive_sink_new(ARCHIVE_KIND_TAR, way) : NULL;
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    App app = { .repo = repo,
                .snapshots = snapshots,
                .request = request,
                .cancel = cancel,
                .sink = sink,
                .names = names };
    bool ok = sink && put_all(&app, error) && outlet_finish(way, error);

    exported->recorded = app.manifest;
    exported->size = count.size;
    exported->sha256 = count.sha256;
    return ok;
}
