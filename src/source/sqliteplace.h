/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place that an SQLite database is restored to: nobody may use what lies there, and it is kept
 * under another name together with its -wal and -journal, which SQLite would otherwise apply to the
 * new one ("How To Corrupt An SQLite Database File", 2.4). One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *path; /* absolute, links resolved unless it was to be exact */
    bool exists;
    unsigned mode, uid, gid; /* of what lies there, or as the caller makes files */
} SqlitePlace;

/* exact: the path is absolute, and taken as it is: what bears the name may be no link.
 * BS_ERROR_LOCKED: a process has it open. BS_ERROR_USAGE: it is no regular file. */
bool sqlite_place_look(const char *path, bool exact, SqlitePlace *ret_place, GError **error);
void sqlite_place_clear(SqlitePlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SqlitePlace, sqlite_place_clear)

/*
 * Puts the file fresh, whole, on the disk and in the same directory, in its place. ret_kept: what
 * the old one is called now, or NULL; to be freed. While it works there may be no database at the
 * path, but never the old one without its WAL; what fails is put back. BS_ERROR_LOCKED: it is in
 * use by now. BS_ERROR_NOT_EMPTY: there is one by now, though there was none.
 */
bool sqlite_place_take(const SqlitePlace *place, const char *fresh, char **ret_kept,
                       GError **error);
