/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the records of a stretch of WAL, whose pieces are handed in one after the other: segments,
 * or any run of whole pages. Every record is proven by its checksum and by the chain to the one
 * before. Where the chain ends is no failure of the reader: WAL ends with zeros or with what a
 * recycled segment held before; whether it may end there is for the caller to know. One thread at a
 * time.
 */
#pragma once
#include "pg/history.h"
#include "pg/walrecord.h"
#include <stddef.h>

typedef struct WalReader WalReader;

typedef enum {
    WAL_STEP_RECORD,
    WAL_STEP_MORE, /* the piece is used up: hand in the one that holds wal_reader_wants() */
    WAL_STEP_END,  /* no further record is proven; error says why */
} WalStep;

/* start: where a record begins, or the begin of a page: then the first record that begins on it or
 * later. segment_size is a valid one. What the pages must say: system_id (0: any one) and the
 * timeline that history gives (borrowed; NULL: one that does not go back). */
WalReader *wal_reader_new(uint64_t start, uint32_t segment_size, uint64_t system_id,
                          const PgHistory *history);
void wal_reader_free(WalReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalReader, wal_reader_free)

/* The begin of the page that is read next. */
uint64_t wal_reader_wants(const WalReader *reader);
/* lsn: of the piece, the begin of a page not behind wal_reader_wants(); data is borrowed until
 * WAL_STEP_MORE. Only the last piece of all may end within a page. */
void wal_reader_feed(WalReader *reader, uint64_t lsn, const void *data, size_t len);

/*
 * record is valid until the next call; what lies on one page is not copied. The error of
 * WAL_STEP_END: BS_ERROR_CORRUPT, _UNSUPPORTED for WAL of another release or machine, _MISMATCH for
 * that of another cluster; after it the reader stays there.
 */
WalStep wal_reader_next(WalReader *reader, WalRecord *record, GError **error);

/* Where the next record begins or would begin: what lies before is proven. While no record was
 * found, where the search stands. */
uint64_t wal_reader_position(const WalReader *reader);
