/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of a PostgreSQL cluster as what a recovery begins with: its tags, and what its control
 * file, backup_label and manifest say (doc/guide/pgcluster.md). One thread makes it; reading files
 * of it may come from any.
 */
#pragma once
#include "pg/control.h"
#include "repo/snapshot.h"
#include "repo/walk.h"

typedef struct {
    uint32_t oid;
    char *location; /* where the server had it */
    bool inside;    /* of the saved data directory: no link leads to it */
} BaseTablespace;

typedef struct {
    Repo *repo;
    const Snapshot *snapshot; /* borrowed */
    uint64_t system_id;
    uint32_t timeline;
    uint64_t start, stop; /* LSN: recovery begins at start, from stop on it is consistent */
    /* after cluster_base_open(): */
    char *folder; /* "/pgcluster-db1-5432" */
    Id tree;      /* of it */
    PgControl control;
    GArray *tablespaces; /* of BaseTablespace */
    bool has_config;     /* postgresql.conf lies in the data directory */
    GPtrArray *wal;      /* names of the segments that lie in its pg_wal */
} ClusterBase;

/* From the tags; false: it is no snapshot of a cluster. */
bool cluster_base_init(ClusterBase *base, Repo *repo, const Snapshot *snapshot);
/* Reads what it needs to know, and compares: BS_ERROR_CORRUPT when tags, label and control file do
 * not belong together or something is missing. The index is loaded. */
bool cluster_base_open(ClusterBase *base, GError **error);
void cluster_base_clear(ClusterBase *base);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ClusterBase, cluster_base_clear)

/* name: below the folder, "pgdata/PG_VERSION". BS_ERROR_NOT_FOUND; BS_ERROR_CORRUPT: no file, or
 * longer than bound. Any thread. */
bool cluster_base_file(const ClusterBase *base, const char *name, size_t bound,
                       GBytes **ret_content, GError **error);
/* The entry of that name, for its owner and mode. */
bool cluster_base_node(const ClusterBase *base, const char *name, Node **ret_node, GError **error);
