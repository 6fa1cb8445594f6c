/* SPDX-License-Identifier: Apache-2.0 */
#include "op/export.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/rfc3339.h"
#include "flow/archivesink.h"
#include "flow/outlet.h"
#include "flow/pipesink.h"
#include "flow/reader.h"
#include "op/dbsnapshot.h"
#include "op/outfile.h"
#include "source/pgscript.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_LEVELS 0
#define GZIP_LEVELS  9
#define ZSTD_LEVELS  19

/* ---- formats ---- */

static const struct {
    const char *name;
    ExportFormat format;
} formats[] = {
    { "dump", { EXPORT_DUMP, EXPORT_PLAIN, 0 } },  { "sql", { EXPORT_SQL, EXPORT_PLAIN, 0 } },
    { "sql.gz", { EXPORT_SQL, EXPORT_GZIP, 0 } },  { "sql.zst", { EXPORT_SQL, EXPORT_ZSTD, 0 } },
    { "tar", { EXPORT_TAR, EXPORT_PLAIN, 0 } },    { "tar.gz", { EXPORT_TAR, EXPORT_GZIP, 0 } },
    { "tar.zst", { EXPORT_TAR, EXPORT_ZSTD, 0 } },
};

bool export_format_parse(const char *text, ExportFormat *ret_format, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(text, formats[i].name) == 0) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: must be dump, sql, sql.gz, sql.zst, tar, tar.gz or tar.zst", text);
    return false;
}

bool export_format_guess(const char *name, ExportFormat *ret_format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *end = g_strconcat(".", formats[i].name, NULL);

        if (g_str_has_suffix(name, end)) {
            *ret_format = formats[i].format;
            return true;
        }
    }
    return false;
}

const char *export_format_name(const ExportFormat *format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].format.kind == format->kind &&
            formats[i].format.compression == format->compression)
            return formats[i].name;
    g_return_val_if_reached(NULL);
}

bool export_format_set_level(ExportFormat *format, int level, GError **error)
{
    static const int most[] = {
        [EXPORT_PLAIN] = PLAIN_LEVELS,
        [EXPORT_GZIP] = GZIP_LEVELS,
        [EXPORT_ZSTD] = ZSTD_LEVELS,
    };

    format->level = level;
    if (level >= 0 && level <= most[format->compression])
        return true;
    if (format->compression == EXPORT_PLAIN)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is not compressed, and has no levels",
                    export_format_name(format));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%d: must be 1 to %d for %s", level,
                    most[format->compression], export_format_name(format));
    return false;
}

/* ---- the road ---- */

typedef struct {
    Repo *repo;
    const Snapshot *snapshot;
    const ExportRequest *request;
    const Cancel *cancel;
    DbSnapshot databases;   /* of a dump and a script */
    const json_t *database; /* the item of it; borrowed */
    OutletCount count;
} Export;

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
    return true;
}

static int server_version(const Export *export)
{
    const json_t *server = json_object_get(export->databases.manifest, "server");

    return (int)json_integer_value(json_object_get(server, "version"));
}

/* From the descriptor backwards: what is written last stands first. */
static Outlet *way_out(Export *export, int fd, const char *name, GError **error)
{
    const ExportFormat *format = &export->request->format;
    Outlet *out = outlet_count_new(outlet_fd_new(fd, name, export->cancel), &export->count);

    if (format->compression == EXPORT_GZIP)
        out = outlet_gzip_new(out, format->level, 0);
    else if (format->compression == EXPORT_ZSTD)
        out = outlet_zstd_new(out, format->level, 0);
    if (format->kind == EXPORT_SQL)
        out = pg_script_new(server_version(export), out, export->cancel, error);
    return out;
}

static bool push(Export *export, Outlet *out, GError **error)
{
    ReaderOptions options = { .progress = export->request->progress };
    g_autoptr(Sink) sink = NULL;

    if (export->request->format.kind == EXPORT_TAR) {
        sink = archive_sink_new(ARCHIVE_KIND_TAR, out);
        return reader_run(export->repo, &export->snapshot->tree, "", sink, &options, export->cancel,
                          error) &&
               sink_finish(sink, error);
    }
    sink = pipe_sink_new(out);
    return db_snapshot_push(&export->databases, db_snapshot_text(export->database, "file"), sink,
                            options.progress, export->cancel, error) &&
           sink_finish(sink, error);
}

static bool fill(int fd, const char *name, void *user, GError **error)
{
    Export *export = user;
    g_autoptr(Outlet) out = NULL;

    if (isatty(fd)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "this would go to the terminal; redirect it, or use --target FILE");
        return false;
    }
    out = way_out(export, fd, name, error);
    return out && push(export, out, error) && outlet_finish(out, error);
}

/* ---- the manifest beside it ---- */

static json_t *describe(const Export *export)
{
    const Snapshot *snapshot = export->snapshot;
    g_autofree char *file = g_path_get_basename(export->request->target);
    char now[RFC3339_MAX], taken[RFC3339_MAX];
    json_t *manifest;

    rfc3339_format((Timestamp){ .sec = clock_now().sec }, now);
    rfc3339_format(snapshot->time, taken);
    manifest = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s, s:{s:s, s:s, s:s}}",
                         "manifest_version", 1, "backstay_version", BS_VERSION, "generated_at", now,
                         "file", file, "format", export_format_name(&export->request->format),
                         "size", (json_int_t) export->count.size, "sha256",
                         id_hex(&export->count.sha256).text, "snapshot", "id",
                         id_hex(&snapshot->id).text, "time", taken, "hostname", snapshot->hostname);
    if (export->databases.manifest) // what was recorded when it was taken: counts, versions
        json_object_set(manifest, "recorded", export->databases.manifest);
    if (export->database)
        json_object_set_new(manifest, "database",
                            json_string(db_snapshot_text(export->database, "name")));
    return manifest;
}

static bool write_manifest(const Export *export, GError **error)
{
    g_autofree char *path = g_strconcat(export->request->target, ".manifest.json", NULL);
    json_t *manifest = describe(export);
    g_autofree char *text = json_dumps(manifest, JSON_INDENT(2));

    json_decref(manifest);
    return fs_write_durable(path, text, strlen(text), 0600, FS_REPLACE, error);
}

/* One of an older file must not tell of the new one, should that be as far as it gets. */
static bool remove_manifest(const char *target, GError **error)
{
    g_autofree char *path = g_strconcat(target, ".manifest.json", NULL);

    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    bs_error_errno(error, errno, "remove %s", path);
    return false;
}

static bool run(Export *export, GError **error)
{
    const ExportRequest *request = export->request;
    bool manifest = request->manifest && request->target;

    return (request->format.kind == EXPORT_TAR || choose_database(export, error)) &&
           (!manifest || remove_manifest(request->target, error)) &&
           outfile_write(request->target, fill, export, error) &&
           (!manifest || write_manifest(export, error));
}

bool op_export(Repo *repo, const Snapshot *snapshot, const ExportRequest *request,
               const Cancel *cancel, Exported *ret_exported, GError **error)
{
    Export export = { repo, snapshot, request, cancel, { 0 }, NULL, { 0 } };
    bool ok = run(&export, error);

    db_snapshot_done(&export.databases);
    ret_exported->size = export.count.size;
    ret_exported->sha256 = export.count.sha256;
    return ok;
}
