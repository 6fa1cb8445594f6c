/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are worth nothing, or worse than nothing, without each other, such as an SQLite
 * database and its -wal, under another name. Any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Renames from to to, which must be free: BS_ERROR_EXISTS. Not synced. */
bool move_new(const char *from, const char *to, GError **error);

/*
 * The file from becomes to, and each from + suffix that there is to + suffix; suffixes ends with
 * NULL. Nothing is overwritten: BS_ERROR_EXISTS. Whenever it is interrupted, whichever of from and
 * to is there has its companions beside it, where the file system has hard links. On failure from
 * is where it was, unless only the companions' old names could not be removed: then it is at to.
 * The directory is synced before the file moves, and not after.
 */
bool move_together(const char *from, const char *to, const char *const *suffixes, GError **error);
