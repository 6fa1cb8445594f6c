/* SPDX-License-Identifier: Apache-2.0 */
#include "op/exportscript.h"

#include "base/error.h"
#include "codec/hash.h"
#include "flow/outlet.h"
#include "flow/pipesink.h"
#include "source/pgscript.h"
#include <string.h>

#define KEEP_MAX (4u * 1024 * 1024)

Node *export_file_node(const char *path, uint64_t size, Timestamp time)
{
    Node *node = node_new();

    node->name = g_path_get_basename(path);
    node->mode = S_IFREG | 0600;
    node->mtime = node->atime = node->ctime = time;
    node->size = size;
    return node;
}

char *export_path_name(const char *text)
{
    char *name = g_strdelimit(g_strdup(text), "/", '_');

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        g_free(name);
        return g_strdup("_");
    }
    return name;
}

/* ---- where the compressed script goes ---- */

/* Into memory as long as it fits, or into an entry of the archive. */
typedef struct {
    Outlet base;
    GByteArray *kept; /* NULL: it did not fit, or is not wanted */
    Sink *sink;       /* NULL: nowhere */
    void *handle;
    uint64_t size, most; /* most: what the entry may hold */
    Hash *hash;
} Spool;

static bool differs(GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "pg_restore makes another script of the same dump the second time; export the "
                "database by itself, with --format sql.gz");
    return false;
}

static bool spool_write(Outlet *base, const void *data, size_t len, GError **error)
{
    Spool *spool = (Spool *)base;
    uint64_t at = spool->size;

    hash_update(spool->hash, data, len);
    spool->size += len;
    if (spool->kept && spool->size > KEEP_MAX)
        g_clear_pointer(&spool->kept, g_byte_array_unref);
    if (spool->kept)
        g_byte_array_append(spool->kept, data, (guint)len);
    if (!spool->sink)
        return true;
    if (spool->size > spool->most)
        return differs(error);
    return sink_write(spool->sink, spool->handle, at, data, len, error);
}

static bool spool_finish(G_GNUC_UNUSED Outlet *base, G_GNUC_UNUSED GError **error)
{
    return true;
}

static void spool_free(G_GNUC_UNUSED Outlet *base)
{
    // it is its owner's
}

static const OutletOps spool_ops = { "spool", spool_write, spool_finish, spool_free };

/* ---- once, or twice ---- */

static Sink *files_sink(const ExportScript *script, const char *key, Outlet *way, GError **error)
{
    g_autoptr(GBytes) toc = NULL;

    return db_snapshot_read_toc(script->databases, script->database, &toc, error)
               ? pg_script_files_sink_new(db_snapshot_dumper(script->databases, script->database),
                                          key, toc, script->database, way, script->cancel)
               : NULL;
}

/* Fills the spool. key: makes it come out the same each time. */
static bool make(const ExportScript *script, const char *key, Spool *spool, Progress *progress,
                 Id *ret_sha256, GError **error)
{
    Outlet *zipped = outlet_gzip_new(&spool->base, script->level, 0);
    bool is_script = json_object_get(script->database, "script") != NULL; // as it was imported
    bool in_files = db_snapshot_is_directory(script->database);
    g_autoptr(Outlet) way =
        is_script || in_files
            ? zipped
            : pg_script_new(db_snapshot_dumper(script->databases, script->database), key, zipped,
                            script->cancel, error);
    g_autoptr(Sink) pipe = NULL;

    spool->base.ops = &spool_ops;
    spool->hash = hash_new();
    if (way)
        pipe = in_files ? files_sink(script, key, way, error) : pipe_sink_new(way);
    if (!pipe ||
        !db_snapshot_push(script->databases, db_snapshot_text(script->database, "file"), pipe,
                          progress, script->cancel, error) ||
        !sink_finish(pipe, error) || !outlet_finish(way, error))
        return false;
    hash_final(spool->hash, ret_sha256);
    return true;
}

static void spool_clear(Spool *spool)
{
    g_clear_pointer(&spool->kept, g_byte_array_unref);
    g_clear_pointer(&spool->hash, hash_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Spool, spool_clear)

static bool put(const ExportScript *script, const char *key, Sink *sink, uint64_t size,
                const GByteArray *kept, const Id *sha256, GError **error)
{
    g_autoptr(Node) node = export_file_node(script->path, size, script->time);
    Entry entry = { .path = script->path, .node = node };
    g_auto(Spool) again = { .sink = sink, .most = size };
    Id second;

    if (!sink_begin(sink, &entry, &again.handle, error))
        return false;
    if (kept)
        return sink_write(sink, again.handle, 0, kept->data, kept->len, error) &&
               sink_end(sink, again.handle, NULL, error);
    if (!make(script, key, &again, NULL, &second, error))
        return false;
    if (again.size != size || !id_equal(&second, sha256))
        return differs(error);
    return sink_end(sink, again.handle, NULL, error);
}

bool export_script_into(const ExportScript *script, Sink *sink, GError **error)
{
    g_autofree char *random = g_uuid_string_random();
    g_auto(GStrv) parts = g_strsplit(random, "-", -1);
    g_autofree char *key = g_strjoinv("", parts);
    g_auto(Spool) first = { .kept = g_byte_array_new() };
    Id sha256;

    return make(script, key, &first, script->progress, &sha256, error) &&
           put(script, key, sink, first.size, first.kept, &sha256, error);
}
