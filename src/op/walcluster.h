/* SPDX-License-Identifier: Apache-2.0 */
/* Which cluster the WAL files beside a data directory belong to. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *pgdata;    /* --pgdata, or NULL */
    const char *system_id; /* --system-id as written, or NULL */
    const char *path;      /* of a file in its pg_wal, as PostgreSQL gives it */
} WalClusterFrom;

/*
 * What is known of the cluster: --system-id, the control file of --pgdata, else of the directory
 * above the one that path lies in, else of the working directory (PostgreSQL starts commands in the
 * data directory). *ret_id is 0 when nothing is there to say it. What was named must be readable
 * and agree: BS_ERROR_MISMATCH, BS_ERROR_USAGE.
 */
bool wal_cluster_find(const WalClusterFrom *from, uint64_t *ret_id, GError **error);
/* The same, and not knowing is BS_ERROR_USAGE, which says what to give. */
bool wal_cluster_need(const WalClusterFrom *from, uint64_t *ret_id, GError **error);
