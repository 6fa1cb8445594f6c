/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new index from what the packs say (repository format, "Index"): for index objects that are
 * lost or damaged, and for packs that are. Nothing is ever lost by it, wherever it is killed:
 *   - what is in order in the readable index objects is kept; other packs are asked for their
 *     header; the new objects are durable before an old one goes;
 *   - a pack that is cut off, or whose header is damaged, leaves the index, but what is still sound
 *     of its blobs goes into a new pack first;
 *   - no pack is removed; prune does that once no index names it.
 * The caller holds the exclusive lock.
 */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct {
    bool read_all_packs; /* ask every pack for its header, whatever the index says */
    bool read_data;      /* and open every blob: the only way to find damage inside packs */
    bool dry_run;
} RepairIndexOptions;

typedef struct {
    /* code: "index-damaged", "pack-missing", "pack-added", "pack-reread", "pack-damaged",
     * "pack-unreadable": stable, for programs. object: "data/ab/abcd...". */
    void (*found)(const char *code, const char *object, const char *message, void *user);
    /* Asked before anything is written or removed; may be NULL. */
    bool (*still_locked)(void *user, GError **error);
    void *user;
} RepairIndexWatch;

typedef struct {
    uint64_t objects_damaged, objects_written, objects_removed;
    uint64_t packs_kept;              /* with the index's word for it */
    uint64_t packs_read;              /* whose header counts from now on, as it did or anew */
    uint64_t packs_missing;           /* the index knew them, the store does not */
    uint64_t packs_damaged;           /* left out of the index */
    uint64_t packs_unreadable;        /* of these: no index ever said what is in them */
    uint64_t blobs_moved, blobs_lost; /* of the damaged packs */
    bool changed;                     /* or would be, with dry_run */
} RepairIndexStats;

/* The repository's index is out of date afterwards. */
bool repair_index(Repo *repo, const RepairIndexOptions *options, const RepairIndexWatch *watch,
                  const Cancel *cancel, RepairIndexStats *ret_stats, GError **error);
