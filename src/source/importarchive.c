/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive of tar becomes: its files as they are, or, when an application has packed itself,
 * its databases as a backup of them would have them, and its files beside. */
#include "base/error.h"
#include "source/importtar.h"
#include <string.h>

#define DATABASES "database/"
#define DOCUMENTS "documents/"

typedef struct {
    Import *import;
    uint64_t files;
    unsigned databases;
} Archive;

static bool finish(ImportTar *tar, Archive *archive, GError **error)
{
    (void)json_object_set_new(archive->import->manifest, "files",
                              json_integer((json_int_t)archive->files));
    return import_tar_enter_top(tar, error) && import_finish(archive->import, error) &&
           import_tar_end(tar, error);
}

/* ---- files ---- */

static bool store_below(ImportTar *tar, const char *folder, const char *path, mode_t type,
                        Archive *archive, GError **error)
{
    g_autofree char *to = g_strconcat(folder, path, NULL);

    archive->files += S_ISREG(type);
    return import_tar_store(tar, to, error);
}

static bool take_file(ImportTar *tar, const char *path, mode_t type, void *user, GError **error)
{
    return store_below(tar, "files/", path, type, user, error);
}

bool import_files(Import *import, GError **error)
{
    g_autoptr(ImportTar) tar = import_tar_new(import);
    Archive archive = { .import = import };

    return import_tar_run(tar, take_file, &archive, error) && finish(tar, &archive, error);
}

/* ---- an application ---- */

/* Some pack a folder that bears the name of the archive. */
static const char *without_folder(const Import *import, const char *path)
{
    g_autofree char *stem = import_stem(import->source->file);
    size_t len = strlen(stem);

    if (strncmp(path, stem, len) != 0 || (path[len] && path[len] != '/'))
        return path;
    return path[len] ? path + len + 1 : path + len;
}

static bool take_dump(Import *import, bool globals, GError **error)
{
    const uint8_t *data;
    size_t n;

    if (!inlet_peek(import->inlet, IMPORT_LOOK_LEN, &data, &n, error))
        return false;
    switch (import_look(data, n)) {
    case IMPORT_DUMP:
        return import_dump(import, error);
    case IMPORT_SQL:
        return globals ? import_globals(import, error) : import_sql(import, error);
    default:
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "it is no dump of pg_dump; to keep the archive's files as they are: --as tar");
        return false;
    }
}

static bool take_database(ImportTar *tar, const char *path, Archive *archive, GError **error)
{
    Import *import = archive->import;
    Inlet *whole = import->inlet;
    const char *file = import->file;
    bool globals = g_str_has_prefix(path, DATABASES "globals.sql");
    bool ok;

    if (!import_tar_enter_top(tar, error))
        return false;
    import->file = path;
    import->inlet = inlet_unpack_new(import_tar_inlet(tar), &import->source->bounds, NULL, error);
    ok = import->inlet && take_dump(import, globals, error) &&
         inlet_expect_end(import->inlet, error);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    inlet_free(import->inlet);
    import->inlet = whole;
    import->file = file;
    archive->databases += !globals;
    return ok;
}

static bool take_member(ImportTar *tar, const char *full, mode_t type, void *user, GError **error)
{
    Archive *archive = user;
    const char *path = without_folder(archive->import, full);

    if (!*path || (S_ISDIR(type) && strcmp(path, "database") == 0))
        return true;
    if (S_ISREG(type) && strcmp(path, "manifest.json") == 0)
        return import_tar_store(tar, "application.json", error);
    if (S_ISREG(type) && g_str_has_prefix(path, DATABASES))
        return take_database(tar, path, archive, error);
    if (g_str_has_prefix(path, DOCUMENTS) || (S_ISDIR(type) && strcmp(path, "documents") == 0))
        return store_below(tar, "", path, type, archive, error);
    return store_below(tar, "files/", path, type, archive, error);
}

bool import_application(Import *import, GError **error)
{
    g_autoptr(ImportTar) tar = import_tar_new(import);
    Archive archive = { .import = import };

    if (!import_tar_run(tar, take_member, &archive, error))
        return false;
    if (archive.databases > 0)
        return finish(tar, &archive, error);
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "it has no database/; to keep the archive's files as they are: --as tar");
    return false;
}
