/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what no snapshot needs (repository format, "Order of operations"): plan first, then act.
 * The plan refuses (BS_ERROR_CORRUPT) when any snapshot cannot be read, a needed blob is in no
 * index, or a needed pack is absent or of another size: removing anything then would make it worse.
 * The caller holds the exclusive lock from before the plan to the end.
 */
#pragma once
#include "base/cancel.h"
#include "repo/protect.h"

typedef struct {
    /* How much unused data may stay inside packs: a share of the repository in percent, or bytes.
     */
    enum { PRUNE_UNUSED_PERCENT, PRUNE_UNUSED_BYTES, PRUNE_UNUSED_UNLIMITED } unused;
    double unused_percent;
    uint64_t unused_bytes;
    uint64_t max_repack; /* bytes; 0: no limit */
    bool cacheable_only; /* repack only packs of trees */
    bool repack_small;   /* merge packs far below the target size */
    bool repack_uncompressed;
    bool purge; /* remove packs with their older versions; those under object lock stay, and count
                 * in prune_kept() */
} PruneOptions;

typedef struct {
    uint64_t blobs_used, blobs_duplicate, blobs_unused;
    uint64_t bytes_used, bytes_duplicate, bytes_unused;
    uint64_t packs_keep, packs_repack, packs_remove, packs_unindexed;
    uint64_t bytes_repack, bytes_repack_free, bytes_remove, bytes_unindexed;
    uint64_t bytes_unused_after;
} PruneStats;

typedef struct Prune Prune;

bool prune_plan(Repo *repo, const PruneOptions *options, const Cancel *cancel, Prune **ret_prune,
                GError **error);
void prune_free(Prune *prune);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Prune, prune_free)
const PruneStats *prune_stats(const Prune *prune);
/* That the plan is made for: of Id, sorted. Borrowed. */
const GArray *prune_snapshots(const Prune *prune);
bool prune_has_work(const Prune *prune);
/* After prune_execute: packs that should have gone. */
const ProtectKept *prune_kept(const Prune *prune);

/* still_locked: asked before each step that writes or removes; may be NULL. */
bool prune_execute(Prune *prune, bool (*still_locked)(void *user, GError **error), void *user,
                   const Cancel *cancel, GError **error);
