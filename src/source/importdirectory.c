/* SPDX-License-Identifier: Apache-2.0 */
/* A dump of pg_dump in directory format: the directory itself, or an archive of tar of it, which
 * may bring its files in any order; or one of a snapshot, as export writes it, where the manifest
 * lies beside the directory. */
#include "base/error.h"
#include "pg/url.h"
#include "source/importtar.h"
#include "source/pgdumppush.h"
#include <string.h>

#define MANIFEST     "manifest.json"
#define MANIFEST_MAX (256u << 20)
#define READ_LEN     (1u << 16)

typedef struct {
    Import *import;
    PgDumpFiles *files;
    char *folder; /* in the snapshot */
    char *inside; /* the folder in the archive; NULL: no file came yet */
    char *around; /* the folder where the manifest lies; NULL: there is none, or none came yet */
    json_t *manifest;
    void *handle;
} Directory;

/* The database's name is in toc.dat, which may come last; the folder's need not be that. */
static char *folder_of(const Import *import)
{
    g_autofree char *stem = import_stem(import->source->file);
    g_autofree char *escaped =
        pg_escape_name(import->source->database ? import->source->database : stem);

    return g_strconcat(escaped, ".dir", NULL);
}

/* What was recorded when the dump was made, as from a manifest beside the file. */
static bool use_manifest(Directory *directory, const char *name, const json_t *facts,
                         GError **error)
{
    ImportSource *source = directory->import->source;
    json_t *told = json_object_get(directory->manifest, "facts");
    const json_t *recorded;
    const char *want;

    if (!directory->manifest)
        return true;
    if (!source->sidecar)
        source->sidecar =
            told ? json_pack("{s:O, s:O}", "recorded", directory->manifest, "facts", told)
                 : json_pack("{s:O}", "recorded", directory->manifest);
    recorded = import_recorded(directory->import, name);
    want = json_string_value(json_object_get(recorded, "sha256"));
    if (!want || strcmp(want, json_string_value(json_object_get(facts, "sha256"))) == 0)
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "dump: its files are not those that " MANIFEST
                        " in the archive records; one of them was changed");
    return false;
}

static bool describe(Directory *directory, GError **error)
{
    Import *import = directory->import;
    const PgDump *dump = pgdump_files_dump(directory->files);
    const char *name =
        import->source->database ? import->source->database : pgdump_header(dump)->database;
    json_t *facts;
    bool ok;

    if (!name || !*name) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT,
                            "dump: toc.dat does not name its database; say which (--database)");
        return false;
    }
    facts = json_object();
    pg_dump_push_facts(directory->folder, directory->files, facts);
    ok = use_manifest(directory, pgdump_header(dump)->database, facts, error);
    if (ok)
        import_describe_dump(import, name, dump, facts);
    json_decref(facts);
    return ok;
}

/* ---- a directory ---- */

static bool push_directory(Directory *directory, GError **error)
{
    Import *import = directory->import;
    ImportSource *source = import->source;
    json_t *facts = json_object();
    bool ok = pg_dump_push(&import->push, source->directory, directory->folder, directory->files,
                           facts, error);

    json_decref(facts);
    if (!ok)
        return false;
    pgdump_files_sum(directory->files, &source->count.size, &source->count.sha256);
    return describe(directory, error) && import_finish(import, error);
}

static bool from_directory(Directory *directory, GError **error)
{
    PgPush *push = &directory->import->push;
    void *top;

    if (!pg_push_begin(push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (!push_directory(directory, error)) {
        sink_abandon(push->sink, top);
        return false;
    }
    return sink_end(push->sink, top, NULL, error);
}

/* ---- an archive ---- */

static bool refuse(const char *path, const char *why, GError **error)
{
    g_autofree char *shown = g_utf8_make_valid(path, -1);

    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: %s: %s", shown, why);
    return false;
}

static bool refuse_second(const char *path, GError **error)
{
    return refuse(
        path,
        "a dump in directory format lies in one directory, with nothing beside it but the "
        "manifest of a snapshot; to keep the archive's files as they are: --as tar",
        error);
}

static bool read_manifest(Directory *directory, ImportTar *tar, const char *path, GError **error)
{
    g_autoptr(Inlet) inlet = import_tar_inlet(tar);
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autofree uint8_t *buffer = g_malloc(READ_LEN);
    size_t n = 1;

    while (n > 0 && text->len <= MANIFEST_MAX) {
        if (!inlet_read(inlet, buffer, READ_LEN, &n, error))
            return false;
        g_byte_array_append(text, buffer, (guint)n);
    }
    if (text->len <= MANIFEST_MAX)
        directory->manifest = json_loadb((const char *)text->data, text->len, 0, NULL);
    return json_is_object(directory->manifest) ||
           refuse(path, "it is not the manifest of a snapshot", error);
}

/* The one of the snapshot, a folder above the dump's. */
static bool take_manifest(Directory *directory, ImportTar *tar, const char *path,
                          const char *inside, GError **error)
{
    if (directory->around)
        return refuse_second(path, error);
    directory->around = g_strdup(inside);
    return read_manifest(directory, tar, path, error);
}

static bool lies_beside(const Directory *directory)
{
    g_autofree char *parent = directory->inside ? g_path_get_dirname(directory->inside) : NULL;

    return !directory->around || g_strcmp0(parent, directory->around) == 0;
}

static bool begin_folder(Directory *directory, ImportTar *tar, const char *inside, GError **error)
{
    if (!import_tar_enter_top(tar, error) ||
        !pg_push_begin(&directory->import->push, directory->folder, S_IFDIR | 0700,
                       &directory->handle, error))
        return false;
    directory->inside = g_strdup(inside);
    return true;
}

static bool take_member(ImportTar *tar, const char *path, mode_t type, void *user, GError **error)
{
    Directory *directory = user;
    g_autofree char *inside = g_path_get_dirname(path), *name = g_path_get_basename(path);
    g_autoptr(Inlet) inlet = NULL;

    if (S_ISDIR(type))
        return true;
    if (!S_ISREG(type))
        return refuse(path, "no file, as all of a dump are", error);
    if (strcmp(name, MANIFEST) == 0)
        return take_manifest(directory, tar, path, inside, error);
    if (!directory->inside && !begin_folder(directory, tar, inside, error))
        return false;
    if (strcmp(inside, directory->inside) != 0)
        return refuse_second(path, error);
    inlet = import_tar_inlet(tar);
    return pg_dump_push_file(&directory->import->push, inlet, directory->folder, name,
                             directory->files, error);
}

static bool from_tar(Directory *directory, GError **error)
{
    Import *import = directory->import;
    g_autoptr(ImportTar) tar = import_tar_new(import);

    if (!import_tar_run(tar, take_member, directory, error) ||
        !pgdump_files_finish(directory->files, error))
        return false;
    if (!lies_beside(directory))
        return refuse_second(MANIFEST, error);
    return sink_end(import->push.sink, directory->handle, NULL, error) &&
           describe(directory, error) && import_tar_enter_top(tar, error) &&
           import_finish(import, error) && import_tar_end(tar, error);
}

bool import_directory(Import *import, GError **error)
{
    Directory directory = { .import = import,
                            .files = pgdump_files_new(),
                            .folder = folder_of(import) };
    bool ok =
        import->source->directory ? from_directory(&directory, error) : from_tar(&directory, error);

    pgdump_files_free(directory.files);
    g_free(directory.folder);
    g_free(directory.inside);
    g_free(directory.around);
    json_decref(directory.manifest);
    return ok;
}
