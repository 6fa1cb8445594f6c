/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite databases that came from elsewhere, before SQLite looks at them. One thread. */
#pragma once
#include "flow/inlet.h"
#include <sqlite3.h>
#include <stdbool.h>

/* Into a new file that only its owner can read. BS_ERROR_CORRUPT: not a database, or not of the
 * length that its header says; BS_ERROR_NO_SPACE. */
bool sqlite_take_bytes(Inlet *inlet, const char *path, GError **error);

/* What is in a database may be made to harm who opens it ("Defense Against The Dark Arts"): nothing
 * of its schema is run that a check does not need, and its pages are looked at before they are
 * believed. */
void sqlite_distrust(sqlite3 *db);
