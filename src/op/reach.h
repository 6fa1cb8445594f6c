/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a recovery can reach its target, found out before anything is restored: from a base
 * backup over the way of timelines through every segment, by PostgreSQL's own rules for targets
 * (pg/walsearch.h). And which base to begin with.
 */
#pragma once
#include "op/clusterbase.h"
#include "op/recoverytarget.h"
#include "op/walpath.h"

typedef struct {
    const char *snapshot; /* an id, its beginning or "latest"; NULL: the newest that can reach it */
    SnapshotFilter filter;
    uint64_t system_id; /* 0: any, but only of one cluster */
    const RecoveryTarget *target;
} ReachRequest;

/* One that is made on the way: recovery makes it again, wherever those of the base are mapped to.
 */
typedef struct {
    uint32_t oid;
    char *location; /* absolute */
    uint64_t lsn;   /* of the record */
} ReachTablespace;

typedef struct {
    GPtrArray *snapshots;       /* that base is of; owned */
    ClusterBase base;           /* open */
    uint32_t timeline;          /* to recover to */
    WalTarget target;           /* explicit: of all that is held it is the last record */
    uint64_t stop;              /* the record that recovery stops at */
    bool after;                 /* having replayed it */
    uint64_t replayed;          /* the end of what it replays */
    int64_t time_us;            /* of the last transaction that ended before; 0: there was none */
    unsigned segments;          /* of WAL that were read */
    bool next_damaged;          /* the segment behind the last one that is needed cannot be had */
    GArray *made;               /* of ReachTablespace; owned */
    uint32_t limits[PG_LIMITS]; /* the most that the server had of each; 0: as in the base */
} Reach;
void reach_clear(Reach *reach);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reach, reach_clear)

/*
 * BS_ERROR_WAL_GAP: it cannot be reached; the text says why and how far one gets. BS_ERROR_USAGE:
 * several clusters, or no snapshot of one. The index is loaded.
 */
bool op_reach(Repo *repo, const ReachRequest *request, const Cancel *cancel, Reach *ret_reach,
              GError **error);
