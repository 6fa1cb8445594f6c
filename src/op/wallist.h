/* SPDX-License-Identifier: Apache-2.0 */
/* What a repository holds of write-ahead logs: by cluster and timeline, with every gap. */
#pragma once
#include "base/clock.h"
#include "op/open.h"
#include "repo/walobject.h"

/* Segments that are missing between others, both ends included. */
typedef struct {
    uint64_t begin, end; /* LSN: of the first byte that is missing, and of the first after it */
} WalHole;

typedef struct {
    uint32_t timeline;
    uint32_t segment_size; /* 0: not known, for no segment is held, or none of them opens */
    guint n_segments;
    WalObject first, last; /* segments; with n_segments */
    uint64_t begin, end;   /* LSN: what they cover; with segment_size */
    GArray *holes;         /* of WalHole, in order */
    GArray *parts;         /* of WalObject: what `wal receive` has of segments (op/walsegment.h) */
    GArray *others;        /* of WalObject: history, labels, PostgreSQL's partial segments */
    GArray *objects;       /* of WalInfo: all of it, by name */
    bool has_history;
    uint64_t stored; /* bytes of all objects */
    int64_t newest_at;
    char *problem; /* why the size or a place is not known; NULL */
} WalTimeline;

typedef struct {
    uint64_t system_id;
    GPtrArray *timelines; /* of WalTimeline, in order */
} WalCluster;

/* Of WalCluster, which it frees. Opens one segment of each timeline to learn their size. foreign:
 * objects below wal/ that are none of ours. */
bool op_wal_list(OpenRepo *open, const Cancel *cancel, GPtrArray **ret_clusters,
                 unsigned *ret_foreign, GError **error);
/* NULL: none. Borrowed. */
const WalTimeline *wal_timeline_find(const GPtrArray *clusters, uint64_t system_id,
                                     uint32_t timeline);
