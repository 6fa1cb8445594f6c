/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: databases of a PostgreSQL server, dumped by pg_dump of the fitting version in custom
 * format without compression (the repository compresses, and equal data meet again). The dump is
 * read as it passes: it counts only when pg_dump ended with 0 and the archive is whole. An archive
 * of a version not known yet is taken on pg_dump's word, without counts, and goes to problem.
 * Entries: /<name>/<database>.dump, /<name>/globals.sql when all databases are taken, and at last
 * /<name>/manifest.json (doc/manifest.schema.json).
 */
#pragma once
#include "source/source.h"

typedef struct {
    char **databases; /* these; NULL: the URL's, or all when it names none */
    /* Of all databases these are left out: patterns as pg_dumpall takes them (pg/pattern.h). Only
     * without a choice. */
    char **exclude_databases;
    /* An existing directory on a disk with room for one dump: each is taken in directory format, by
     * so many jobs, and lies there until it is saved (/<name>/<database>.dir/). NULL: no. */
    const char *scratch;
    unsigned jobs;
    /* Handed to pg_dump, in its own patterns; NULL: no such limit. Large objects are always taken.
     */
    char **schemas, **exclude_schemas, **tables, **exclude_table_data;
} PostgresOptions;

/*
 * url: postgresql://... or keywords. name: of the source; NULL for postgresql-<host>[-<db>].
 * options: copied; may be NULL. BS_ERROR_USAGE for what libpq cannot read.
 *
 * backup: with one database any failure of it is the failure of the source. With several, one that
 * cannot be dumped goes to problem, and the others are taken; when none can, the source fails.
 */
Source *postgres_source_new(const char *url, const char *name, const PostgresOptions *options,
                            GError **error);
