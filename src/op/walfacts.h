/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What retention must know of each cluster before anything of it may go: its bases, its WAL, and,
 * for a point-in-time window, where its timelines come from. What cannot be known is a problem of
 * that cluster, and then nothing of it may be removed.
 */
#pragma once
#include "op/walbase.h"
#include "op/wallist.h"
#include "plan/duration.h"
#include "plan/pitr.h"

typedef struct {
    uint64_t system_id;
    const WalCluster *held;    /* NULL: no WAL of it is held */
    uint32_t segment_size;     /* 0: no segment is held */
    GPtrArray *snapshots;      /* of const Snapshot, for each of pitr.bases */
    PitrCluster pitr;          /* with a window: with the reasons filled in */
    int64_t since;             /* Unix seconds: where the window begins; INT64_MAX without one */
    char *problem;             /* why nothing of it may be removed; NULL */
    GArray *bases, *timelines; /* what pitr points to */
    GPtrArray *ways;
} WalFacts;

typedef struct {
    OpenRepo *open;
    const GPtrArray *snapshots; /* of Snapshot: all there are; borrowed for the life of the facts */
    const GPtrArray *clusters;  /* from op_wal_list(); borrowed the same way */
    const Duration *window;     /* NULL: without */
} WalFactsFrom;

/* Of WalFacts, which it frees: every cluster with a base or WAL. Fails only where a store does. */
bool wal_facts_gather(const WalFactsFrom *from, GPtrArray **ret_facts, GError **error);
