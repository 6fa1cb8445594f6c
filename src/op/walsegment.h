/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a repository holds of one segment of WAL: the whole, or, while PostgreSQL still writes it,
 * the part that `wal receive` has stored. A part is an object of its own, named
 * "<segment>.part.<lsn>" with the place where it ends in 16 hex digits, so that the newest of a
 * segment is the last in the order of names. It holds the segment's bytes from its begin to there.
 * A newer part replaces it, and the whole segment replaces all.
 */
#pragma once
#include "pg/walname.h"
#include "repo/walobject.h"

/* segment: the whole one; lsn: behind its begin, and not behind its end. */
void wal_part_init(WalObject *object, uint64_t system_id, const WalName *segment, uint64_t lsn);
/* False: not the name of a part. */
bool wal_part_parse(const char *name, WalName *ret_segment, uint64_t *ret_lsn);

typedef struct {
    WalObject object; /* where it lies */
    bool whole;
    uint32_t segment_size;
    uint64_t begin, end; /* LSN: of the segment, and where what is held of it ends */
    GBytes *content;     /* end - begin bytes */
} WalSegment;
void wal_segment_clear(WalSegment *held);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalSegment, wal_segment_clear)

/*
 * The segment, else its newest part. Of a part this is true at this moment only: it is never kept
 * anywhere. BS_ERROR_NOT_FOUND: the store says that there is neither; also when a receiver stored
 * it in between. BS_ERROR_CORRUPT, BS_ERROR_MISMATCH as wal_object_get().
 */
bool wal_segment_get(Repo *repo, uint64_t system_id, const WalName *segment, WalSegment *ret_held,
                     GError **error);

/*
 * The file that PostgreSQL gets: as long as a segment, zeros behind what is held. Recovery reads
 * record by record and ends at the first that is none, which zeros never are; so it ends where the
 * part ends, as it would with the segment missing, only later. Whoever must reach a place further
 * on has given PostgreSQL a recovery target, and then it stops with an error.
 */
GBytes *wal_segment_file(const WalSegment *held);
