/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, and how those of an older program become ours: numbered steps, each in a transaction
 * of its own together with the row that says it was done. */
#pragma once
#include "state/db.h"

/* BS_ERROR_VERSION: a newer program made it. BS_ERROR_CORRUPT: a file, but no catalogue. */
bool migrate(Db *db, GError **error);
/* Changes nothing; BS_ERROR_VERSION: it is of another version than this program's. */
bool migrate_check(Db *db, GError **error);
bool migrate_new(Db *db, GError **error); /* of a new file */
unsigned migrate_newest(void);
