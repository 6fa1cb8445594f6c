/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to a PostgreSQL server for queries. The session is neutral: no timeouts of the
 * role, an empty search_path (names are written with their schema), text in UTF-8. One thread at a
 * time.
 */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"
#include <stdint.h>

typedef struct PgConn PgConn;

/*
 * database: NULL for the one that the URL (or its defaults) names.
 * BS_ERROR_UNREACHABLE: nobody answers (refused, timeout, no such name, server starting or
 * stopping); BS_ERROR_AUTH: the login is refused or a password is missing; BS_ERROR_NOT_FOUND: no
 * such database; BS_ERROR_DENIED: this role or anybody may not enter this database;
 * BS_ERROR_TRANSIENT: no connection is free. BS_ERROR_CANCELLED.
 * cancel is borrowed for the connection's life: once it is set, the running query is ended in the
 * server, too, and it and every later one fail with BS_ERROR_CANCELLED.
 */
PgConn *pg_connect(const PgUrl *url, const char *database, const Cancel *cancel, GError **error);
/* For work that concerns the whole server: the URL's database, else "postgres", else "template1".
 */
PgConn *pg_connect_server(const PgUrl *url, const Cancel *cancel, GError **error);
void pg_conn_free(PgConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgConn, pg_conn_free)

int pg_conn_version(const PgConn *conn);              /* 150020 for 15.20, 90624 for 9.6.24 */
const char *pg_conn_version_text(const PgConn *conn); /* "15.20 (Debian 15.20-0+deb12u1)" */
const char *pg_conn_database(const PgConn *conn);
/* The server process as the login told it; behind a pooler a number that the pooler made up. */
int pg_conn_backend_pid(const PgConn *conn);

typedef struct PgRows PgRows;

/* One statement. params: the values of $1, $2, ... as text, NULL at the end; NULL for none.
 * BS_ERROR_DENIED, _UNREACHABLE (connection lost), _CANCELLED, _TRANSIENT (serialization,
 * deadlock), _FAILED. */
PgRows *pg_query(PgConn *conn, const char *sql, const char *const *params, GError **error);
/* A statement, or several, whose rows do not matter. */
bool pg_exec(PgConn *conn, const char *sql, GError **error);
/* The one number that a query gives. */
bool pg_query_number(PgConn *conn, const char *sql, const char *const *params, int64_t *ret_number,
                     GError **error);

int pg_rows_count(const PgRows *rows);
const char *pg_rows_get(const PgRows *rows, int row,
                        int column); /* NULL for an SQL null; borrowed */
bool pg_rows_bool(const PgRows *rows, int row, int column);
void pg_rows_free(PgRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgRows, pg_rows_free)

/* "a ""b""": an SQL identifier, always quoted; with schema (may be NULL) in front. */
char *pg_quote_name(const char *schema, const char *name);
/* E-free SQL literal for servers with standard_conforming_strings (all since 9.1). */
char *pg_quote_text(const char *text);
