/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing WAL that no base backup needs any more (plan/pitr.h says which that is).
 *
 * It is prune that removes it, under the exclusive lock, and not forget: a base backup that is
 * running needs WAL that no snapshot names yet, and holds a shared lock until its snapshot is
 * there. The window is not kept anywhere: who removes must say it (--keep-pitr, of forget --prune
 * or of prune). Without it the oldest base decides, so that a later prune that does not know of
 * the window removes less, never more: forget --keep-pitr keeps the base that the window begins
 * with, and everything from there on.
 *
 * Nothing of a cluster goes when anything about it is not known, or when it has no base. History
 * files and what is no WAL of ours stay. The oldest goes first: an interruption leaves what is
 * needed without a hole.
 */
#pragma once
#include "op/open.h"
#include "op/wallist.h"
#include "plan/duration.h"
#include "repo/protect.h"

typedef struct {
    uint32_t timeline;
    WalObject first, last; /* segments, both included */
    guint n;
    uint64_t end; /* LSN behind the last */
} WalRange;

typedef struct {
    uint64_t system_id;
    guint n_bases;       /* that stay */
    guint n_segments;    /* that are held */
    GArray *doomed;      /* of WalInfo, oldest first */
    guint n_doomed;      /* segments among them */
    uint64_t bytes;      /* of doomed, in the store */
    GArray *ranges;      /* of WalRange: the segments among doomed */
    uint64_t floor;      /* LSN: from here on everything stays; UINT64_MAX: there is no base */
    bool leaves_islands; /* before the floor something stays for a base of its own */
    char *problem;       /* why nothing may be removed, which somebody should look at; NULL */
} WalPruneCluster;

typedef struct {
    const Duration *window; /* --keep-pitr; NULL: without */
    const GArray *gone;     /* of Id: snapshots that are to be taken for removed; NULL */
    /* Of Id: snapshots that another listing told a moment ago, or NULL. A store that now leaves one
     * out cannot be relied upon (it may be a base), and the plan fails. */
    const GArray *known;
} WalPruneRequest;

/* Of WalPruneCluster, which it frees: clusters of which WAL is held. Removes nothing. Fails when a
 * snapshot cannot be read: it may be a base. */
bool wal_prune_plan(OpenRepo *open, const WalPruneRequest *request, const Cancel *cancel,
                    GPtrArray **ret_clusters, GError **error);
/* The keys of all that the plan removes, of char *. */
GHashTable *wal_prune_doomed(const GPtrArray *clusters);
/* Removes what the plan says. The lock is exclusive. purge: with all versions; what an object lock
 * keeps is added to *kept. */
bool wal_prune_execute(OpenRepo *open, const GPtrArray *clusters, bool purge, const Cancel *cancel,
                       ProtectKept *kept, GError **error);
