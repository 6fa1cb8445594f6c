/* SPDX-License-Identifier: Apache-2.0 */
/* What the manifest of a cluster's backup says (doc/pgcluster.schema.json). */
#pragma once
#include "source/pgbase.h"
#include <jansson.h>

/* All borrowed. */
typedef struct {
    const char *name; /* of the source */
    const PgUrl *url;
    const PgReplication *replication;
    uint64_t system_id;
    uint32_t segment_size; /* of WAL, in bytes */
    const PgBackupStart *start;
    const PgBackupStop *stop;
    const PgBase *base; /* complete */
    Timestamp started;
    bool wal_held, has_config;
    const char *no_config; /* why not; may be NULL */
} PgClusterFacts;

json_t *pg_cluster_manifest(const PgClusterFacts *facts);
