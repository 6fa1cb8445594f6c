/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of an SQLite database as a file in the top folder of its source. */
#pragma once
#include "source/pgpush.h"
#include "source/sqlitecopy.h"

/* After sqlite_copy_check(). parent_cut: what the last backup was cut in, 0: not known. Adds the
 * file to facts, the tag of the cut and the notes of the check to source. */
bool sqlite_push(Source *source, PgPush *push, SqliteCopy *copy, const char *name,
                 size_t parent_cut, json_t *facts, GError **error);
