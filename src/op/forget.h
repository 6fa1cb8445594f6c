/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: which snapshots stay, by policy and group; removing the others. Of clusters whose WAL
 * is held the newest base backup always stays: without one the WAL is worth nothing, and nobody
 * could tell what of it may go. WAL itself is removed by prune (op/walprune.h).
 */
#pragma once
#include "op/open.h"
#include "plan/duration.h"
#include "plan/retention.h"
#include "repo/snapshot.h"

typedef struct {
    RetentionPolicy policy; /* empty: only the snapshots named */
    SnapshotFilter filter;
    const char *group_by;      /* "host,paths"; "" is one group */
    bool by_source;            /* instead: group by what the tag "source=" says */
    GTimeZone *zone;           /* of days and weeks; NULL: as the operator counts them, local */
    char *const *ids;          /* snapshots to remove by name, instead of a policy */
    const Duration *keep_pitr; /* the point-in-time window; NULL: none. Alone it is a policy for
                                  snapshots of clusters only, and all others stay */
    bool ignore_missing;       /* by name: what is gone already is no error */
    bool last_bases; /* by name: also the newest base backup of a cluster whose WAL is held */
    bool dry_run;
} ForgetRequest;

typedef struct {
    const Snapshot *snapshot; /* of the list in ForgetPlan */
    bool keep;
    GPtrArray *reasons; /* of const char * */
} ForgetDecision;

typedef struct {
    const Snapshot *first; /* one of the group, for its host, paths and tags */
    GArray *decisions;     /* of ForgetDecision, newest first */
} ForgetGroup;

typedef struct {
    GPtrArray *snapshots; /* of Snapshot */
    GArray *groups;       /* of ForgetGroup */
    unsigned n_remove, unreadable;
} ForgetPlan;

void forget_plan_free(ForgetPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ForgetPlan, forget_plan_free)

/* Decides, removes nothing. BS_ERROR_USAGE for a bad --group-by or unknown ids; BS_ERROR_GUARD: a
 * cluster would be left with WAL and no base backup. */
bool forget_decide(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                   ForgetPlan **ret_plan, GError **error);
/* Removes what the plan says, oldest first. The lock is exclusive. failed is told about each that
 * could not be removed; any makes it BS_ERROR_PARTIAL. */
bool forget_remove(OpenRepo *open, const ForgetPlan *plan, const Cancel *cancel,
                   void (*failed)(const Snapshot *snapshot, const GError *problem), GError **error);
