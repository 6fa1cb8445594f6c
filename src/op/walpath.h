/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way that a recovery takes through the WAL of a cluster that a repository holds: over
 * timelines by the history of the last one, from segment to segment. PostgreSQL documentation,
 * "Timelines". One thread makes these objects; after that they do not change and threads may share
 * them.
 */
#pragma once
#include "pg/history.h"
#include "pg/walname.h"
#include "repo/walobject.h"

/* ---- what is held of one cluster ---- */

typedef struct WalHeld WalHeld;

/* Lists the names; opens nothing. repo is borrowed for the life of it. */
WalHeld *wal_held_list(Repo *repo, uint64_t system_id, GError **error);
void wal_held_free(WalHeld *held);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalHeld, wal_held_free)

uint64_t wal_held_system_id(const WalHeld *held);
bool wal_held_has(const WalHeld *held, const char *name);
/* The highest timeline of which anything is held: what PostgreSQL calls latest. 0: nothing is. */
uint32_t wal_held_latest(const WalHeld *held);
/* From its file in the repository; the first timeline needs none. BS_ERROR_WAL_GAP: the file is not
 * held, and without it nobody knows where the timeline comes from; BS_ERROR_CORRUPT, _MISMATCH. */
PgHistory *wal_held_history(const WalHeld *held, uint32_t timeline, GError **error);

/* The content of a file, proven to be what was stored. BS_ERROR_WAL_GAP: it is not held;
 * BS_ERROR_CORRUPT and _MISMATCH as of wal_object_get(). Any thread. */
bool wal_held_get(const WalHeld *held, const char *name, GBytes **ret_content, GError **error);

/* ---- the way ---- */

typedef struct WalPath WalPath;

/* To the end of timeline. held is borrowed for the life of it; segment_size is a valid one. The
 * errors of wal_held_history(). */
WalPath *wal_path_new(const WalHeld *held, uint32_t timeline, uint32_t segment_size,
                      GError **error);
void wal_path_free(WalPath *path);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalPath, wal_path_free)

const PgHistory *wal_path_history(const WalPath *path); /* borrowed */
uint32_t wal_path_timeline(const WalPath *path);        /* the last one */
uint32_t wal_path_segment_size(const WalPath *path);
uint64_t wal_path_system_id(const WalPath *path);

/*
 * A segment that a recovery would find elsewhere when the repository does not hold it: in the base
 * backup itself, which has the WAL from its start to its stop. get fetches it, in any thread; user
 * is borrowed for the life of the path. Before the path is shared.
 */
typedef bool (*WalPathGet)(const char *name, void *user, GBytes **ret_content, GError **error);
void wal_path_add(WalPath *path, const char *name, WalPathGet get, void *user);
/* The same of segments of which the repository holds a part (op/walsegment.h), which is what a
 * recovery gets from it. Before others are added, which have more of a segment. */
void wal_path_add_parts(WalPath *path);

/* Whether recovery of what stands at lsn of timeline can go this way. False: BS_ERROR_WAL_GAP, the
 * text says where the way leaves or what it does not pass. */
bool wal_path_passes(const WalPath *path, uint32_t timeline, uint64_t lsn, GError **error);

typedef struct {
    WalName name;   /* the file that a recovery reads there, or would need */
    uint64_t begin; /* LSN of its first byte */
    uint64_t end;   /* what follows it on the way: the next segment, or where its timeline is left
                     * when that of the younger one is not held, or where the part of it ends */
    bool held;      /* the byte at lsn is */
} WalPathSegment;

/*
 * The segment that holds the byte at lsn. Where a timeline is left within a segment, the younger
 * timeline has a copy of all that came before; the older file only serves when that is not held,
 * and then name is that of the older one. Behind its end the younger one is missing.
 */
void wal_path_segment(const WalPath *path, uint64_t lsn, WalPathSegment *ret_segment);

typedef struct {
    uint64_t end;    /* LSN: from the start to here every byte is held */
    WalName missing; /* the file that is needed next */
    bool gap;        /* further ones on the way are held: it is a hole, not the end */
} WalPathEnd;

/* How far the WAL that is held goes on from lsn without a hole. */
void wal_path_end(const WalPath *path, uint64_t lsn, WalPathEnd *ret_end);

/* The content of a segment on the way. The errors of wal_held_get() and of what was added. Any
 * thread. */
bool wal_path_get(const WalPath *path, const char *name, GBytes **ret_content, GError **error);
