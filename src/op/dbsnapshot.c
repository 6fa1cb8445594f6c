/* SPDX-License-Identifier: Apache-2.0 */
#include "op/dbsnapshot.h"

#include "base/error.h"
#include "flow/reader.h"
#include "pg/tools.h"
#include "repo/blob.h"
#include "repo/walk.h"
#include "source/pgdumpfiles.h"
#include <string.h>

#define MANIFEST_MAX (256u * 1024 * 1024)
#define TOC_MAX      (1024u * 1024 * 1024)

const char *db_snapshot_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

bool db_snapshot_read(const DbSnapshot *db, const char *name, size_t bound, GBytes **ret_bytes,
                      GError **error)
{
    if (walk_read(db->repo, &db->tree, name, bound, ret_bytes, error))
        return true;
    g_prefix_error(error, "%s: ", db->folder);
    return false;
}

int db_snapshot_dumper(const DbSnapshot *db, const json_t *item)
{
    int dumper = pg_version_parse(db_snapshot_text(item, "pg_dump_version"));
    const json_t *server = json_object_get(db->manifest, "server");

    return dumper > 0 ? dumper : (int)json_integer_value(json_object_get(server, "version"));
}

bool db_snapshot_is_directory(const json_t *item)
{
    return strcmp(db_snapshot_text(item, "format"), "directory") == 0;
}

bool db_snapshot_read_toc(const DbSnapshot *db, const json_t *item, GBytes **ret_toc,
                          GError **error)
{
    g_autofree char *path = g_build_filename(db_snapshot_text(item, "file"), PGDUMP_TOC, NULL);

    return db_snapshot_read(db, path, TOC_MAX, ret_toc, error);
}

/* Manifests of other sources have lists of databases, too. */
static bool check_kind(const json_t *manifest, GError **error)
{
    const json_t *source = json_object_get(manifest, "source");
    const char *kind = json_string_value(json_object_get(source, "kind"));

    if (!kind || strcmp(kind, "postgres") == 0)
        return true;
    if (strcmp(kind, "pgcluster") == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds the files of a whole server, no dump; restore them with "
                    "--target DIR");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the snapshot holds no database of PostgreSQL: its kind is %s", kind);
    return false;
}

static bool load_manifest(DbSnapshot *db, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    json_error_t problem;

    if (!db_snapshot_read(db, "manifest.json", MANIFEST_MAX, &text, error)) {
        g_prefix_error(error, "the snapshot holds no database dump (for files: --target DIR): ");
        return false;
    }
    db->manifest = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text),
                              JSON_REJECT_DUPLICATES, &problem);
    if (!check_kind(db->manifest, error))
        return false;
    if (!db->manifest || !json_is_array(json_object_get(db->manifest, "databases"))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s/manifest.json: %s", db->folder,
                    db->manifest ? "has no list of databases" : problem.text);
        return false;
    }
    return true;
}

/* The one folder at the root of a snapshot of a database. */
static bool find_folder(DbSnapshot *db, const Snapshot *snapshot, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(db->repo);
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Tree) tree = NULL;
    const Node *top = NULL;
    const char *data;
    gsize len;

    if (!blob_load(db->repo, opener, BLOB_TREE, &snapshot->tree, &text, error))
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
    db->tree = top->subtree;
    db->folder = g_strconcat("/", top->name, NULL);
    return true;
}

static bool is_wanted(char *const *databases, const json_t *database, const char *file)
{
    const char *name = db_snapshot_text(database, "name");

    if (file)
        return strcmp(file, db_snapshot_text(database, "file")) == 0;
    return !databases || g_strv_contains((const char *const *)databases, name);
}

GPtrArray *db_snapshot_choose(const DbSnapshot *db, char *const *databases, const char *file,
                              GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    size_t i;
    json_t *database;

    json_array_foreach(json_object_get(db->manifest, "databases"), i, database)
    {
        if (is_wanted(databases, database, file))
            g_ptr_array_add(chosen, database);
    }
    for (char *const *name = databases; name && *name && !file; name++) {
        bool found = false;

        for (guint k = 0; k < chosen->len; k++)
            found =
                found || strcmp(db_snapshot_text(g_ptr_array_index(chosen, k), "name"), *name) == 0;
        if (!found) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the snapshot has no database \"%s\"",
                        *name);
            return NULL;
        }
    }
    if (chosen->len == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "the snapshot has no such database; `backstay ls` shows what it has");
        return NULL;
    }
    return g_steal_pointer(&chosen);
}

bool db_snapshot_push(const DbSnapshot *db, const char *file, Sink *sink, Progress *progress,
                      const Cancel *cancel, GError **error)
{
    ReaderOptions options = { .progress = progress };
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(db->repo, &db->tree, file, &node, &ignored, error))
        return false;
    if (!node) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s/%s is not in the snapshot", db->folder,
                    file);
        return false;
    }
    return reader_run_node(db->repo, node, db->folder, sink, &options, cancel, error);
}

bool db_snapshot_open(Repo *repo, const Snapshot *snapshot, DbSnapshot *ret_databases,
                      GError **error)
{
    *ret_databases = (DbSnapshot){ .repo = repo };
    return find_folder(ret_databases, snapshot, error) && load_manifest(ret_databases, error);
}

void db_snapshot_done(DbSnapshot *databases)
{
    json_decref(databases->manifest);
    g_free(databases->folder);
    *databases = (DbSnapshot){ 0 };
}
