/* SPDX-License-Identifier: Apache-2.0 */
/* What the manifest of a cluster's backup says (doc/pgcluster.schema.json). */
#pragma once
#include "base/clock.h"
#include "pg/basebackup.h"
#include <jansson.h>

/* All borrowed. */
typedef struct {
    const char *name;         /* of the source */
    const char *url;          /* where it was read from, without secrets */
    int version;              /* of the server: 150020 */
    const char *version_text; /* "15.20 (Debian 15.20-0+deb12u1)" */
    uint64_t system_id;
    uint32_t segment_size; /* of WAL, in bytes */
    PgBackupStop start, stop;
    const GArray *tablespaces; /* of PgTablespace */
    Timestamp started;
    uint64_t n_files, n_bytes; /* that the cluster has */
    bool standby;
    bool own_config; /* postgresql.conf lies in the data directory */
    bool wal_held, has_config;
    const char *no_config; /* why not; may be NULL */
    json_t *directory;     /* how it was read where it lies; NULL: it was not */
} PgClusterFacts;

json_t *pg_cluster_manifest(const PgClusterFacts *facts);
