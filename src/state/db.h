/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database for small things that must last: SQLite in a file, or PostgreSQL. The same SQL goes to
 * both: $1, $2, ... are the parameters, BIGINT, SMALLINT and TEXT the types, `ON CONFLICT` and
 * `RETURNING` are there. One connection, for one thread at a time.
 *
 * Errors: BS_ERROR_TRANSIENT (busy for too long, connection lost: try again; the next call connects
 * anew), _CORRUPT, _NO_SPACE, _DENIED, _EXISTS (a key is there already), _UNREACHABLE and _AUTH
 * when opening, _FAILED. What a commit acknowledged is durable.
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Db Db;
typedef struct DbQuery DbQuery;

typedef enum {
    DB_CHECK = 1,    /* SQLite: read every page first, and refuse damage */
    DB_EXISTING = 2, /* SQLite: BS_ERROR_NOT_FOUND when there is no file; setup may be NULL */
} DbFlags;

/* Makes a new SQLite file what it is to be. */
typedef bool (*DbSetup)(Db *db, GError **error);

/*
 * url: "sqlite:/path", an absolute path, or "postgresql://..." without a password; password may be
 * NULL. A file that is not there is made, with mode 0600, whole and durable or not at all: setup
 * fills it. A database of PostgreSQL is taken as it is. BS_ERROR_USAGE: not such a URL.
 */
bool db_open(const char *url, const Secret *password, DbFlags flags, DbSetup setup, Db **ret_db,
             GError **error);
void db_free(Db *db);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Db, db_free)

const char *db_name(const Db *db); /* for people: the file, or the URL without secrets */
const char *db_file(const Db *db); /* of SQLite; NULL: there is none */

/* Whether the file of SQLite is still the one that was opened: one that was removed, or replaced,
 * takes everything that is written, and nobody will ever find it. */
bool db_check_place(const Db *db, GError **error);

/* Pages that are kept for the next query are let go: it reads them again. Between transactions. */
void db_rest(Db *db);

/* lock: NULL, or a word: of all transactions that say the same word one runs at a time. SQLite has
 * but one writer, so there every word is the same. */
bool db_begin(Db *db, const char *lock, GError **error);
/* When it fails with BS_ERROR_TRANSIENT nobody knows whether it happened. */
bool db_commit(Db *db, GError **error);
void db_rollback(Db *db); /* nothing when there is no transaction */

/* A statement, or several without parameters, whose rows do not matter. */
bool db_exec(Db *db, const char *sql, GError **error);

/*
 * One statement, kept prepared for the next time. Bind all of its parameters (from 1), then step
 * until there is no row, then free. Text is copied; NULL is an SQL null.
 */
DbQuery *db_query(Db *db, const char *sql, GError **error);
void db_bind_text(DbQuery *query, unsigned n, const char *text);
void db_bind_int(DbQuery *query, unsigned n, int64_t value);
bool db_step(DbQuery *query, bool *ret_row, GError **error);
/* For a statement that gives no rows. ret_changed: rows inserted, changed, deleted; may be NULL. */
bool db_run(DbQuery *query, int64_t *ret_changed, GError **error);
/* Of the row that was stepped to, from 0. Text lives until the next step; NULL for a null. */
const char *db_row_text(DbQuery *query, unsigned column);
int64_t db_int(DbQuery *query, unsigned column);
void db_query_free(DbQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DbQuery, db_query_free)
