/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PostgreSQL cluster as a source, read where its data directory lies, on the server's host: while
 * the server runs, primary or standby, in backup mode; or of a server that was shut down cleanly.
 * What is pushed has the shape of pgcluster.h, and starts as it is; backup_manifest is ours.
 */
#pragma once
#include "source/source.h"

typedef struct {
    const char *checkpoint; /* "fast", "spread"; NULL: spread */
    bool no_page_checks;    /* checksums of pages are not looked at */
    int64_t settled;        /* seconds, see pgdirkeep.h; at least PG_DIR_SETTLED_MIN */
} PgDirOptions;

#define PG_DIR_SETTLED     3600
#define PG_DIR_SETTLED_MIN 10

/* directory: as given. options may be NULL. BS_ERROR_USAGE, BS_ERROR_NOT_FOUND. */
Source *pg_dir_source_new(const char *directory, const PgDirOptions *options, GError **error);
