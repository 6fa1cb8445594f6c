/* SPDX-License-Identifier: Apache-2.0 */
/* What the tags of a snapshot of a cluster say about the WAL that it needs. */
#pragma once
#include "repo/snapshot.h"

typedef struct {
    const Snapshot *snapshot; /* borrowed */
    uint64_t system_id;
    uint32_t timeline;
    uint64_t start, stop; /* LSN; start < stop */
} WalBase;

typedef enum {
    WAL_BASE_NONE, /* no snapshot of a cluster */
    WAL_BASE_GOOD,
    WAL_BASE_BAD, /* one, but nobody knows what it needs; system_id is 0 where not even that is
                     known */
} WalBaseKind;

/* Fills in what is known. A snapshot is of a cluster when it has the tag kind=pgcluster or
 * system-id=. */
WalBaseKind wal_base_of(const Snapshot *snapshot, WalBase *ret_base);
/* When the backup had ended, Unix seconds; 0: the snapshot does not say. */
int64_t wal_base_ended(const WalBase *base);
