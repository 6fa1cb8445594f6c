/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restores a PostgreSQL cluster into a data directory from which the server recovers to a target:
 * a moment, a position, a transaction, a restore point (doc/guide/pitr.md). Whether the target can
 * be reached is proven before anything is touched.
 */
#pragma once
#include "flow/progress.h"
#include "op/open.h"
#include "op/reach.h"
#include "op/restorefacts.h"

typedef struct {
    ReachRequest reach;
    const char *pgdata;
    const char *shown;        /* its name, where pgdata is a way to it; NULL: pgdata */
    char *const *tablespaces; /* "OLD=NEW"; NULL: none */
    char *const *via;         /* of each of them the way to NEW, or ""; NULL: their names */
    const char *config_file;  /* with configuration outside of the data directory; or NULL */
    /* What lies there serves as far as it is the same, and the rest of it goes; only where it is a
     * data directory of this very cluster. Never what runs. */
    bool delta;
    bool force;                /* what lies there is replaced; never what runs */
    bool dry_run;              /* only say whether it can be done */
    const RestoreFacts *facts; /* NULL: they are not compared */
} RestoreClusterRequest;

typedef struct {
    Progress *progress; /* may be NULL */
    /* It can be reached, and how; nothing was touched yet. */
    void (*reached)(const Reach *reach, void *user);
    void (*note)(const char *text, void *user);
    /* What could not be set as it was. Any thread. */
    void (*problem)(const char *path, const GError *problem, void *user);
    void *user;
} RestoreClusterWatch;

typedef struct {
    Id snapshot;
    char *pgdata;        /* absolute */
    char *start_command; /* for a shell, as the server's user */
    uint64_t files, bytes, deleted;
    uint64_t bytes_same, bytes_fetched; /* delta: of content, there already, or not */
    unsigned problems;
} RestoreClusterResult;
void restore_cluster_result_clear(RestoreClusterResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RestoreClusterResult, restore_cluster_result_clear)

/* BS_ERROR_WAL_GAP: the target cannot be reached; BS_ERROR_NOT_EMPTY: something lies or runs in the
 * data directory or a tablespace's; BS_ERROR_USAGE. Nothing was touched then. After other errors
 * what lies there does not start. */
bool op_restore_cluster(OpenRepo *open, const Settings *settings,
                        const RestoreClusterRequest *request, const RestoreClusterWatch *watch,
                        const Cancel *cancel, RestoreClusterResult *ret_result, GError **error);
