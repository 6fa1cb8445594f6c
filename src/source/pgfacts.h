/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest says of PostgreSQL (doc/manifest.schema.json), as jansson values that the
 * caller owns. */
#pragma once
#include "base/clock.h"
#include "pg/conn.h"
#include "source/pgdump.h"
#include <jansson.h>

/* {"version": 150020, "version_text": "15.20 ..."} */
json_t *pg_facts_server(const PgConn *conn);
/* Of the database connected to: name, owner, encoding, locale, collation version, extensions. */
json_t *pg_facts_database(PgConn *conn, GError **error);
/* Adds what a dump held: encoding, tables, large objects, version of pg_dump. */
void pg_facts_add_dump(json_t *database, const PgDump *dump);
/* Adds size and sha256 of a file. */
void pg_facts_add_file(json_t *facts, const char *file, uint64_t size, const Id *sha256);
json_t *pg_facts_time(Timestamp time);
/* A string of bytes in a PostgreSQL encoding (NULL: UTF8), as the UTF-8 that JSON wants. */
json_t *pg_facts_text(const char *text, const char *encoding);
