/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of SQLite, and their errors as ours. One thread. */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Sets error from a result of SQLite's, about the database called name; db: NULL when there is
 * none. Always false. BS_ERROR_TRANSIENT (others hold it locked), _CORRUPT, _NO_SPACE, _DENIED,
 * _FAILED. */
bool sqlite_failed(const char *name, sqlite3 *db, int code, GError **error);

/* One statement. row: gets each row until it says false; may be NULL. */
bool sqlite_query(sqlite3 *db, const char *name, const char *sql,
                  bool (*row)(sqlite3_stmt *statement, void *user), void *user, GError **error);

typedef struct {
    const char *path;
    const char *name; /* for messages */
    bool alone;       /* nobody else has the file: without locks */
    int64_t timeout_ms;
    const Cancel *cancel;
} SqliteAsking;

/* The first value of the first row of a statement that somebody else wrote: it can only read this
 * database. *ret_value, to be freed, is NULL when there is none. */
bool sqlite_ask(const SqliteAsking *asking, const char *sql, char **ret_value, GError **error);
