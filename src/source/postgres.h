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
