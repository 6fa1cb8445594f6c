/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a plain dump (the SQL script that pg_dump or pg_dumpall writes) as it streams past, in
 * slices of any size, and tells whether it is whole and what it holds: for each COPY the exact rows
 * and the SHA-256 of its text. psql takes a script that was cut anywhere for a good one, also
 * within the rows of a table; what tells that it is whole is the comment at its very end, outside
 * of any text, comment or rows.
 *
 * A script is read as psql reads it (psqlscan.l of PostgreSQL): texts with and without escapes,
 * names, dollar quotes, comments, the rows behind COPY ... FROM stdin. Commands of psql itself,
 * which could run programs, are refused, but for those that pg_dump writes. Memory is bounded
 * whatever the bytes are. One thread at a time.
 */
#pragma once
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *schema; /* NULL: none was said */
    char *name;
    uint64_t rows;
    uint64_t bytes; /* of COPY text, without the line that ends it */
    Id sha256;      /* of the same: COPY table TO STDOUT | sha256sum */
} PgScanTable;

typedef struct PgScan PgScan;

/* Who takes the script on, to be run in one transaction: without the lines of psql's own commands,
 * and without the BEGIN and COMMIT that pg_dump puts around large objects. */
typedef bool (*PgScanPass)(void *user, const void *data, size_t len, GError **error);

PgScan *pg_scan_new(void);
/* From now on; a slice is passed on only when nothing in it was refused. */
void pg_scan_set_pass(PgScan *scan, PgScanPass pass, void *user);
/* The same of a script that goes from database to database by itself: it is run in a session for
 * each, without a transaction around. */
typedef struct {
    /* What comes from here on is for this database; what came before was passed on. */
    bool (*connect)(void *user, const char *database, GError **error);
    /* Asked of statements that make what a server may have already: CREATE ROLE, ALTER ROLE, CREATE
     * TABLESPACE, CREATE DATABASE. verb: one of these; name: of what it makes. False: it stays
     * behind. */
    bool (*keeps)(void *user, const char *verb, const char *name, const char *statement);
} PgScanSessions;
void pg_scan_set_sessions(PgScan *scan, const PgScanSessions *sessions, PgScanPass pass,
                          void *user);
void pg_scan_free(PgScan *scan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgScan, pg_scan_free)

/* BS_ERROR_CORRUPT: names the line. */
bool pg_scan_feed(PgScan *scan, const void *data, size_t len, GError **error);
/* No more comes. BS_ERROR_CORRUPT: it ended early. */
bool pg_scan_finish(PgScan *scan, GError **error);

/* Borrowed. Tables in the order of the script; one may come twice. */
const GPtrArray *pg_scan_tables(const PgScan *scan);     /* of PgScanTable */
const GPtrArray *pg_scan_extensions(const PgScan *scan); /* of char * */
/* "15.20 (Debian ...)", "UTF8": what the script says of itself; NULL. */
const char *pg_scan_server_version(const PgScan *scan);
const char *pg_scan_dump_version(const PgScan *scan);
const char *pg_scan_encoding(const PgScan *scan);
/* False: some rows come as INSERT statements, which are not counted. */
bool pg_scan_counts_all(const PgScan *scan);
/* The name of the first database that it goes to by itself (pg_dump --create, pg_dumpall); NULL: it
 * stays where it is. */
const char *pg_scan_connects(const PgScan *scan);
/* It sets passwords of roles. */
bool pg_scan_has_passwords(const PgScan *scan);
/* It is of pg_dumpall. */
bool pg_scan_is_cluster(const PgScan *scan);
