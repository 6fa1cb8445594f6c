/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of an SQLite database that others write to: SQLite's online backup, so that it is the
 * database of one moment, with what lies in its WAL. It is in a file of its own, which only its
 * owner can read and which goes with the copy. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "flow/inlet.h"
#include "flow/progress.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct SqliteCopy SqliteCopy;

/* scratch: the directory for the copy. BS_ERROR_NOT_FOUND, _DENIED, _CORRUPT (no database, or a
 * damaged one), _TRANSIENT (others hold it locked for too long), _NO_SPACE, _CANCELLED. progress:
 * may be NULL. */
SqliteCopy *sqlite_copy_new(const char *path, const char *scratch, Progress *progress,
                            const Cancel *cancel, GError **error);
/* The same in two steps: first the moment is taken hold of, of a database without WAL by copying
 * it, for its writers would wait; what is left to copy the second step copies, on the same thread.
 */
SqliteCopy *sqlite_copy_hold(const char *path, const char *scratch, Progress *progress,
                             const Cancel *cancel, GError **error);
bool sqlite_copy_held(SqliteCopy *copy, Progress *progress, GError **error);
/* The bytes of a database that came from elsewhere, as they are, for the check; name is for
 * messages. BS_ERROR_CORRUPT: they are not as many as it says of itself. */
SqliteCopy *sqlite_copy_from(Inlet *inlet, const char *name, const char *scratch,
                             const Cancel *cancel, GError **error);
void sqlite_copy_free(SqliteCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SqliteCopy, sqlite_copy_free)

/* Looks at the copy, not at the original: integrity_check (BS_ERROR_CORRUPT), foreign_key_check,
 * the rows of each table and the migrations (source/migrations.h), into facts. */
bool sqlite_copy_check(SqliteCopy *copy, json_t *facts, GError **error);
const char *sqlite_copy_path(const SqliteCopy *copy);
size_t sqlite_copy_page_size(const SqliteCopy *copy);   /* after the check */
int64_t sqlite_copy_violations(const SqliteCopy *copy); /* of foreign keys; after the check */
/* Why its migrations are not in the facts; NULL: they are, or there are none. */
const char *sqlite_copy_unread(const SqliteCopy *copy);
