/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a child process of PostgreSQL's own learns where to connect. Everything but the password
 * stands in one keyword string for --dbname; the password lies in a file of mode 0600 in a
 * directory of mode 0700 that PGPASSFILE names and that is gone afterwards. It is never in an
 * argument list, nor in an environment (PGPASSWORD is taken out). Without a password the user's own
 * .pgpass, PGPASSFILE and service files work as ever. PostgreSQL documentation, "The Password
 * File".
 */
#pragma once
#include "pg/url.h"

typedef struct PgAccess PgAccess;

/* url is borrowed for the call. BS_ERROR_UNSUPPORTED: a password with a line break, or one that
 * would show in the list of processes. */
PgAccess *pg_access_new(const PgUrl *url, GError **error);
/* Removes the file. */
void pg_access_free(PgAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgAccess, pg_access_free)

/* For --dbname, and for the child's environment: borrowed until pg_access_free(), which must not
 * come before the child has logged in for the last time. */
const char *pg_access_conninfo(const PgAccess *access);
const char *const *pg_access_environ(const PgAccess *access);
