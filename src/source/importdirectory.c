/* SPDX-License-Identifier: Apache-2.0 */
/* A dump of pg_dump in directory format: the directory itself, or an archive of tar of it, which
 * may bring its files in any order. */
#include "base/error.h"
#include "pg/url.h"
#include "source/importtar.h"
#include "source/pgdumppush.h"
#include <string.h>

typedef struct {
    Import *import;
    PgDumpFiles *files;
    char *folder; /* in the snapshot */
    char *inside; /* the folder in the archive; NULL: no file came yet */
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

static bool describe(Directory *directory, GError **error)
{
    Import *import = directory->import;
    const PgDump *dump = pgdump_files_dump(directory->files);
    const char *name =
        import->source->database ? import->source->database : pgdump_header(dump)->database;
    json_t *facts;

    if (!name || !*name) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT,
                            "dump: toc.dat does not name its database; say which (--database)");
        return false;
    }
    facts = json_object();
    pg_dump_push_facts(directory->folder, directory->files, facts);
    import_describe_dump(import, name, dump, facts);
    json_decref(facts);
    return true;
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
    if (!directory->inside && !begin_folder(directory, tar, inside, error))
        return false;
    if (strcmp(inside, directory->inside) != 0)
        return refuse(path, "a dump in directory format lies in one directory", error);
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
    return ok;
}
