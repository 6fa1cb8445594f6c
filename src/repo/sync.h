/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making one copy of a repository like another: compare listings, then carry byte for byte what is
 * missing, in the order that keeps the copy whole (keys, config, packs, index, snapshots, WAL,
 * records). Each object is proved on the way, by the SHA-256 that is its name or by its seal, so
 * damage never spreads: what is damaged stays behind, with every index object that names it, and no
 * snapshot goes while an index object is held back. Locks and the copy's own mark are not carried.
 */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct {
    uint64_t objects, bytes;
} SyncAmount;

typedef struct {
    SyncAmount missing; /* at the copy, or of another size there */
    int64_t since;      /* Unix seconds: how old the oldest missing one is; 0: nothing is missing */
    SyncAmount extra;   /* what the copy has beyond the other */
    uint64_t extra_snapshots;
    uint64_t
        extra_names; /* snapshots, keys, WAL and records: what may have been lost in the other */
} SyncFacts;

typedef enum {
    SYNC_NAMES, /* keys, index, snapshots, mirrors: tells at the price of a few requests whether the
                   copy lacks anything that was ever finished there */
    SYNC_ALL,
} SyncScope;

typedef struct {
    /* Damaged or gone where it is copied from, so not carried. From any thread, one at a time. */
    void (*held_back)(const char *key, const GError *problem, void *user);
    void *user;
    _Atomic uint64_t *bytes; /* carried so far; may be NULL */
} SyncWatch;

typedef struct {
    SyncAmount carried, held_back; /* of held_back only the objects are counted */
    uint64_t removed;
} SyncResult;

typedef struct Sync Sync;

/* repo: opened on `from`, or on something that reads from it. All is borrowed. Complete listings or
 * an error. BS_ERROR_EXISTS: another repository may lie in `to`. */
bool sync_compare(Repo *repo, Store *from, Store *to, SyncScope scope, const Cancel *cancel,
                  Sync **ret_sync, GError **error);
void sync_free(Sync *sync);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sync, sync_free)
const SyncFacts *sync_facts(const Sync *sync);

/* Carries what is missing; after SYNC_ALL. True with held_back.objects > 0: all else was carried.
 * False: a store failed. */
bool sync_carry(Sync *sync, const SyncWatch *watch, const Cancel *cancel, SyncResult *result,
                GError **error);

typedef enum {
    SYNC_REMOVE_NOTHING,
    /* Packs and index objects, which nothing needs when both have the same snapshots. For runs that
     * nobody asked to remove anything else: refuses where a snapshot, a key, WAL or a record would
     * go, for nobody knows whether the other one has lost it. */
    SYNC_REMOVE_UNNEEDED,
    /* Refuses when more snapshots would go than the other has left: then it looks as if that one
     * were the poorer by mistake. */
    SYNC_REMOVE_EXTRA,
    SYNC_REMOVE_FORCED,
} SyncRemoval;

/* still_locked: asked before each thousand. */
typedef bool (*SyncLocked)(void *user, GError **error);
/*
 * Removes what the copy has beyond the other, names first. The caller holds the exclusive lock, has
 * made sure that the other one is whole, and has loaded its index since. BS_ERROR_GUARD, and
 * nothing is removed: while anything is missing at the copy; when something is in the other after
 * all; or as said above.
 */
bool sync_remove(Sync *sync, SyncRemoval what, SyncLocked still_locked, void *user,
                 SyncResult *result, GError **error);
