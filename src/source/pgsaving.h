/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a backup of databases share: one database (pgsavedb.c), roles and tablespaces
 * (pgsaveglobals.c), a server (pgsave.c). One thread.
 */
#pragma once
#include "flow/scratch.h"
#include "pg/conn.h"
#include "source/pgmoment.h"
#include "source/pgpartitions.h"
#include "source/pgpush.h"
#include "source/postgres.h"
#include <jansson.h>

typedef struct {
    Source base;
    PgUrl *url;
    GStrv databases;         /* NULL: all */
    GStrv exclude_databases; /* patterns, of all; NULL: none */
    unsigned jobs;           /* of one dump */
    char *scratch;           /* dumps are taken in directory format, into here first; NULL: not */
    GStrv schemas, exclude_schemas, tables, exclude_table_data;
    PgMoment *moment; /* NULL: of each database that of its dump */
} PostgresSource;

/* One backup. */
typedef struct {
    PostgresSource *source;
    PgPush push;
    int server_version;
    bool standby; /* the server follows another one */
    guint n_dumped;
    const char *snapshot; /* of the database that is dumped; NULL: its own */
    json_t *manifest, *databases, *problems;
} PgSave;

/* To the manifest and to who runs the backup: something is not saved, and the rest is. */
void pg_save_problem(PgSave *save, const char *item, const GError *problem);

/* ---- pgsave.c ---- */

bool pg_save(Source *source, Sink *sink, const SourceRun *run, GError **error);

/* ---- pgsavelist.c ---- */

/* Names of databases that are to be left out, with the pattern that says so (char * both). notes:
 * what to tell of the patterns, or NULL. */
GHashTable *pg_save_excluded(const PostgresSource *source, PgConn *conn, GPtrArray *notes,
                             GError **error);
/* All databases that are saved. What holds data and is not among them is named in the manifest, not
 * forgotten. */
GStrv pg_save_list(PgSave *save, PgConn *conn, GError **error);

/* ---- pgsavedb.c ---- */

/* The name of its file or directory in the folder; to be freed. */
char *pg_save_file_name(const PgSave *save, const char *database);
/* Dump and item of the manifest. */
bool pg_save_database(PgSave *save, const char *database, GError **error);

/* ---- pgsavefiles.c: a dump in directory format ---- */

/* Has pg_dump write the directory "to" and pushes it as name. partitions: NULL, or what it must not
 * lack. */
bool pg_save_files(PgSave *save, const char *const *argv, const PgAccess *access, const char *to,
                   const char *name, const PgPartitions *partitions, json_t *facts, GError **error);
/* A place for it with room for what the database at url holds. */
Scratch *pg_save_scratch(const PgSave *save, const PgUrl *url, GError **error);

/* ---- pgsaveglobals.c ---- */

/* passwords: the user may read those of roles. A failure is a problem, unless nothing can go on. */
bool pg_save_globals(PgSave *save, bool passwords, GError **error);
