/* SPDX-License-Identifier: Apache-2.0 */
#include "op/export.h"

#include "base/error.h"
#include "flow/archivesink.h"
#include "flow/outlet.h"
#include "flow/pipesink.h"
#include "flow/reader.h"
#include "op/dbsnapshot.h"
#include "op/exportmanifest.h"
#include "repo/walk.h"
#include "source/pgscript.h"
#include <string.h>

typedef struct {
    Repo *repo;
    const Snapshot *snapshot;
    const ExportRequest *request;
    const Cancel *cancel;
    DbSnapshot databases;   /* of a dump and a script */
    const json_t *database; /* the item of it; borrowed */
    Node *file;             /* of a file as it is */
    char *folder;           /* which it lies in */
    OutletCount count;
    Exported *exported;
} Export;

/* ---- what is in it ---- */

static bool is_script(const Export *export)
{
    return json_object_get(export->database, "script") != NULL;
}

static bool choose_database(Export *export, GError **error)
{
    const char *names[] = { export->request->database, NULL };
    g_autoptr(GPtrArray) chosen = NULL;

    if (!db_snapshot_open(export->repo, export->snapshot, &export->databases, error))
        return false;
    chosen =
        db_snapshot_choose(&export->databases, *names ? (char *const *)names : NULL, NULL, error);
    if (!chosen)
        return false;
    if (chosen->len > 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds %u databases, and %s is for one; choose with --database, "
                    "or take all of them with --format tar.gz",
                    chosen->len, export_format_name(&export->request->format));
        return false;
    }
    export->database = g_ptr_array_index(chosen, 0);
    if (export->request->format.kind == EXPORT_DUMP && is_script(export)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds a script that was imported; take it with --format sql");
        return false;
    }
    if (export->request->format.kind == EXPORT_DUMP && db_snapshot_is_directory(export->database)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds a dump in directory format, of which pg_restore makes no "
                    "single file but a script; take it with --format sql.gz, or its directory with "
                    "--format tar.gz");
        return false;
    }
    export->exported->database = g_strdup(db_snapshot_text(export->database, "name"));
    return true;
}

/* The one file in the source's folder besides the manifest, or the one that was asked for. */
static bool choose_file(Export *export, GError **error)
{
    const char *kind = export->request->format.kind == EXPORT_RDB ? "redis" : "sqlite";
    const char *wanted = export->request->database;
    g_autoptr(BlobOpener) opener = blob_opener_new(export->repo);
    g_autoptr(Tree) root = NULL, tree = NULL;
    unsigned n = 0;

    if (g_strcmp0(snapshot_tag_value(export->snapshot, "kind"), kind) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "snapshot %s is not of %s, so it has no %s",
                    id_short(&export->snapshot->id).text, kind,
                    export_format_name(&export->request->format));
        return false;
    }
    if (!walk_load(export->repo, opener, &export->snapshot->tree, &root, error))
        return false;
    export->folder = root->nodes->len == 1
                         ? g_strconcat("/", ((Node *)root->nodes->pdata[0])->name, NULL)
                         : g_strdup("");
    if (root->nodes->len == 1 &&
        !walk_load(export->repo, opener, &((Node *)root->nodes->pdata[0])->subtree, &tree, error))
        return false;
    for (guint i = 0; tree && i < tree->nodes->len; i++) {
        const Node *node = tree->nodes->pdata[i];

        if (!S_ISREG(node->mode) || strcmp(node->name, "manifest.json") == 0 ||
            (wanted && strcmp(node->name, wanted) != 0))
            continue;
        g_clear_pointer(&export->file, node_free);
        export->file = node_copy(node);
        n++;
    }
    if (n == 1)
        return true;
    if (n == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the snapshot has no file \"%s\"",
                    wanted ? wanted : export_format_name(&export->request->format));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds %u files, and %s is for one; choose with --database NAME",
                    n, export_format_name(&export->request->format));
    return false;
}

static bool choose(Export *export, GError **error)
{
    switch (export->request->format.kind) {
    case EXPORT_DUMP:
    case EXPORT_SQL:
        return choose_database(export, error);
    case EXPORT_RDB:
    case EXPORT_DB:
        return choose_file(export, error);
    case EXPORT_TAR:
    case EXPORT_APP:
        return true;
    }
    g_assert_not_reached();
}

/* ---- the road ---- */

Outlet *export_way_out(const ExportRequest *request, Outlet *out, OutletCount *ret_count,
                       char ***ret_recipients, GError **error)
{
    const ExportFormat *format = &request->format;

    out = outlet_count_new(out, ret_count);
    if (request->encrypt) {
        out = openpgp_encrypt_new(out, request->encrypt,
                                  request->encrypt->keys ? ret_recipients : NULL, error);
        if (!out)
            return NULL;
    }
    if (format->compression == EXPORT_GZIP)
        out = outlet_gzip_new(out, format->level, 0);
    else if (format->compression == EXPORT_ZSTD)
        out = outlet_zstd_new(out, format->level, 0);
    return out;
}

/* From the end backwards: what is written last stands first. Takes out. */
static Outlet *way_out(Export *export, Outlet *out, GError **error)
{
    out =
        export_way_out(export->request, out, &export->count, &export->exported->recipients, error);
    // of one that was imported as a script there is nothing to make
    if (out && export->request->format.kind == EXPORT_SQL && !is_script(export) &&
        !db_snapshot_is_directory(export->database))
        out = pg_script_new(db_snapshot_dumper(&export->databases, export->database), NULL, out,
                            export->cancel, error);
    return out;
}

static bool push_into(Export *export, Sink *sink, GError **error)
{
    ReaderOptions options = { .progress = export->request->progress };

    if (export->request->format.kind == EXPORT_TAR)
        return reader_run(export->repo, &export->snapshot->tree, "", sink, &options, export->cancel,
                          error);
    if (export->file)
        return reader_run_node(export->repo, export->file, export->folder, sink, &options,
                               export->cancel, error);
    return db_snapshot_push(&export->databases, db_snapshot_text(export->database, "file"), sink,
                            options.progress, export->cancel, error);
}

static Sink *sink_into(Export *export, Outlet *way, GError **error)
{
    g_autoptr(GBytes) toc = NULL;

    if (export->request->format.kind == EXPORT_TAR)
        return archive_sink_new(ARCHIVE_KIND_TAR, way);
    if (!db_snapshot_is_directory(export->database))
        return pipe_sink_new(way);
    return db_snapshot_read_toc(&export->databases, export->database, &toc, error)
               ? pg_script_files_sink_new(db_snapshot_dumper(&export->databases, export->database),
                                          NULL, toc, export->database, way, export->cancel)
               : NULL;
}

/* Takes out. */
static bool push(Export *export, Outlet *out, GError **error)
{
    g_autoptr(Outlet) way = way_out(export, out, error);
    g_autoptr(Sink) sink = NULL;

    if (!way)
        return false;
    sink = sink_into(export, way, error);
    return sink && push_into(export, sink, error) && sink_finish(sink, error) &&
           outlet_finish(way, error);
}

/* Takes out. */
static bool run(Export *export, Outlet *out, GError **error)
{
    g_autoptr(Outlet) kept = out;

    if (!choose(export, error) ||
        !export_recorded(export->repo, export->snapshot, &export->exported->recorded, error) ||
        !push(export, g_steal_pointer(&kept), error))
        return false;
    export->exported->size = export->count.size;
    export->exported->sha256 = export->count.sha256;
    return true;
}

bool export_snapshot_into(Repo *repo, const Snapshot *snapshot, const ExportRequest *request,
                          Outlet *out, const Cancel *cancel, Exported *exported, GError **error)
{
    Export export = { .repo = repo,
                      .snapshot = snapshot,
                      .request = request,
                      .cancel = cancel,
                      .exported = exported };
    bool ok = run(&export, out, error);

    db_snapshot_done(&export.databases);
    g_clear_pointer(&export.file, node_free);
    g_free(export.folder);
    return ok;
}
