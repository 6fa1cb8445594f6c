/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

/* As pg_migrations(), of an SQLite database; name is for messages. */
bool sqlite_migrations(sqlite3 *db, const char *name, json_t **ret_migrations, GError **error);
