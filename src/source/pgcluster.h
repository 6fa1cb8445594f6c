/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PostgreSQL cluster as a source, file by file, over the replication protocol: from any host, by
 * a role with the right to replicate, of a primary or a standby, while it runs. The server sends a
 * base backup with the WAL that makes it consistent; what passes is compared with the server's
 * manifest. In one top folder lie pgdata/, tablespaces/<oid>/, where links in pgdata/ point to
 * within the folder, config/ and manifest.json (doc/guide/pgcluster.md). What was restored starts
 * as it is.
 */
#pragma once
#include "source/source.h"

typedef struct {
    const char *checkpoint; /* "fast", "spread"; NULL: spread */
    uint64_t max_rate_kb;   /* KiB a second; 0: none */
    bool no_page_checks;    /* the server does not verify the checksums of pages */
} PgClusterOptions;

/* url: "postgresql://..." or a keyword string; the database does not matter. name: of the source,
 * NULL for the default ("pgcluster-<host>-<port>"). options may be NULL. BS_ERROR_USAGE. */
Source *pgcluster_source_new(const char *url, const char *name, const PgClusterOptions *options,
                             GError **error);

/* The length of chunks for a cluster of this size in bytes; parent: what its last backup was cut
 * in, 0: there was none, or it is not known. */
size_t pgcluster_cut(uint64_t size, size_t parent);

/* What the tags of the last backup say it was cut in; 0: nothing. */
size_t pgcluster_parent_cut(char *const *tags);
/* --checkpoint; NULL: the default. BS_ERROR_USAGE. */
bool pgcluster_checkpoint_parse(const char *text, bool *ret_fast, GError **error);
