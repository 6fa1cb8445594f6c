/* SPDX-License-Identifier: Apache-2.0 */
/* A throw-away PostgreSQL for a test (scripts/throwaway-postgres): trusted on its socket, passwords
 * on TCP. */
#pragma once
#include <glib.h>

typedef struct {
    char *directory, *port;
    char *url; /* "postgresql://postgres@/?host=...&port=..." */
} PgServer;

/* Ends the test program when it cannot be had. */
PgServer *pg_server_start(void);
void pg_server_stop(PgServer *server);
/* The URL of one of its databases; by TCP as a user with a password when user is given. */
char *pg_server_url(const PgServer *server, const char *database);
char *pg_server_tcp_url(const PgServer *server, const char *login, const char *database);
/* Runs SQL through psql, as the superuser; asserts that all of it went well, returns what it
 * printed. */
char *pg_server_sql(const PgServer *server, const char *database, const char *sql);
/* A shell command with PGHOST, PGPORT and PGUSER set; asserts status 0, returns what it printed. */
GBytes *pg_server_shell(const PgServer *server, const char *command);
