/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite database, as a backup of it would have taken it. SQLite looks at a copy of the bytes.
 */
#include "base/error.h"
#include "source/importing.h"
#include "source/pgcluster.h"
#include "source/sqlitepush.h"
#include <sqlite3.h>
#include <string.h>

#define WRITES_TO_LOG 2 /* "Database File Format", 1.3.1: byte 18 of the header */

/* Only what the file is packed in goes. */
static char *name_of(const char *file)
{
    static const char *const ends[] = { ".gpg", ".pgp", ".asc", ".gz", ".zst" };
    char *name = g_path_get_basename(file);

    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(name, ends[i]) && strlen(name) > strlen(ends[i]))
            name[strlen(name) - strlen(ends[i])] = '\0';
    if (strcmp(name, "manifest.json") != 0)
        return name;
    g_free(name);
    return g_strdup("database.db");
}

static bool note_log(Import *import, GError **error)
{
    const uint8_t *header;
    size_t n;

    if (!inlet_peek(import->inlet, 100, &header, &n, error))
        return false;
    if (n > 18 && header[18] == WRITES_TO_LOG)
        g_ptr_array_add(import->source->base.notes,
                        g_strdup("the database writes to a log beside it (WAL); if it was copied "
                                 "while it was open, and not by SQLite, its last changes stayed "
                                 "behind, and nothing in it tells"));
    return true;
}

bool import_sqlite(Import *import, GError **error)
{
    g_autofree char *name = name_of(import->source->file);
    g_autoptr(SqliteCopy) copy = NULL;
    json_t *facts = json_object();

    (void)json_object_set_new(import->manifest, "sqlite_version",
                              json_string(sqlite3_libversion()));
    (void)json_object_set_new(import->manifest, "database", facts);
    if (!note_log(import, error))
        return false;
    copy = sqlite_copy_from(import->inlet, name, g_get_tmp_dir(), import->push.run->cancel, error);
    return copy && sqlite_copy_check(copy, facts, error) &&
           sqlite_push(&import->source->base, &import->push, copy, name, import->source->parent_cut,
                       facts, error);
}
