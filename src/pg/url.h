/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a PostgreSQL database is: a URL or a keyword string as libpq takes them (PostgreSQL
 * documentation, "Connection Strings"). What the text leaves out comes from the environment
 * (PGHOST, PGSERVICE, ...), as with every PostgreSQL client. Immutable; threads may share it.
 */
#pragma once
#include <glib.h>
#include <libpq-fe.h>
#include <stdbool.h>

typedef struct PgUrl PgUrl;

/* Whether an operand begins as such a URL does. */
bool pg_url_is(const char *text);

/* BS_ERROR_USAGE when libpq cannot read it; the error repeats nothing of the text, it may hold a
 * password. */
PgUrl *pg_url_parse(const char *text, GError **error);
void pg_url_free(PgUrl *url);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgUrl, pg_url_free)

/* The same place, another database. */
PgUrl *pg_url_with_database(const PgUrl *url, const char *database);
/* The same place, another password. */
PgUrl *pg_url_with_password(const PgUrl *url, const char *password);

/* What the text says, without defaults; NULL when it says nothing. Borrowed. */
const char *pg_url_get(const PgUrl *url, const char *keyword);
const char *pg_url_database(const PgUrl *url);
/* From the text or PGPASSWORD; NULL: libpq looks into the password file by itself. */
const char *pg_url_password(const PgUrl *url);

/* postgresql://user@host:port/db?opts without any secret, for people and the manifest. */
char *pg_url_redacted(const PgUrl *url);
/* "postgresql-<host>[-<db>]": the name of an unnamed source. A socket directory is "local". */
char *pg_url_source_name(const PgUrl *url);
/* "pgcluster-<host>-<port>": of the whole cluster there. */
char *pg_url_cluster_name(const PgUrl *url);
/* Every byte outside A-Za-z0-9._- as %XX: a name that is one safe path component. */
char *pg_escape_name(const char *name);

/* Parallel arrays for PQconnectdbParams(). borrowed: they live as long as url, the arrays are
 * freed. */
void pg_url_params(const PgUrl *url, GPtrArray *keywords, GPtrArray *values);
/* One keyword string for the --dbname of a child process: everything but the password.
 * BS_ERROR_UNSUPPORTED for sslpassword, which only an argument list could carry. */
bool pg_url_conninfo(const PgUrl *url, char **ret_conninfo, GError **error);
