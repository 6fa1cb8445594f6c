/* SPDX-License-Identifier: Apache-2.0 */
/* A psql that runs what it is told and stops at the first error. It gets nothing but SQL and rows:
 * it is told to refuse its own commands, which could run programs. One thread. */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"
#include <jansson.h>

typedef struct PgPsql PgPsql;

/* recorded: the item of the script, for the version of psql. cancel is borrowed; may be NULL.
 * BS_ERROR_VERSION: psql is too old to refuse commands. */
PgPsql *pg_psql_open(const PgUrl *url, const json_t *recorded, const Cancel *cancel,
                     GError **error);
void pg_psql_free(PgPsql *psql); /* takes NULL; what it has not committed is undone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPsql, pg_psql_free)

bool pg_psql_say(PgPsql *psql, const void *text, size_t len, GError **error);
/* Waits for its end. */
bool pg_psql_end(PgPsql *psql, GError **error);
