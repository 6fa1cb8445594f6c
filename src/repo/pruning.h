/* SPDX-License-Identifier: Apache-2.0 */
/* What prune.c (the plan) and pruneexecute.c (the doing of it) share. */
#pragma once
#include "repo/prune.h"
#include "repo/used.h"

typedef enum { PRUNE_KEEP, PRUNE_REPACK, PRUNE_REMOVE } PruneAction;

typedef struct {
    Id id;
    uint64_t size;         /* as the index implies */
    uint64_t used, unused; /* bytes; a duplicate counts as unused in all packs but one */
    bool tree, data, must_repack, small;
    PruneAction action;
} PackPlan;

struct Prune {
    Repo *repo;
    PruneOptions options;
    UsedBlobs *used, *taken; /* taken: one place of each used blob was chosen */
    GArray *packs;           /* of PackPlan, sorted by id */
    GArray *unindexed;       /* of FileInfo */
    GArray *snapshots;       /* that the plan is made for; of Id, sorted */
    PruneStats stats;
    ProtectKept kept;
};

/* Of PackPlan and of Id, in any mix: both begin with their id. */
static inline int pack_plan_by_id(gconstpointer a, gconstpointer b)
{
    return id_compare(a, b);
}
