/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions in the write-ahead log (LSN) and the names of what PostgreSQL keeps of it: segments,
 * the last, unfinished segment of a timeline, labels of backups, and histories of timelines.
 * PostgreSQL documentation, "WAL Internals" and "Continuous Archiving". Pure; any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define WAL_SEGMENT_MIN (UINT32_C(1) << 20)
#define WAL_SEGMENT_MAX (UINT32_C(1) << 30)

/* A power of two from 1 MiB to 1 GiB: what initdb --wal-segsize takes. */
bool wal_segment_size_valid(uint64_t size);

typedef struct {
    char text[18];
} LsnText;

/* "16/B374D848", by value so that it can stand in an argument list. */
LsnText lsn_text(uint64_t lsn);
/* One to eight hex digits on either side of the slash, nothing else. */
bool lsn_parse(const char *text, uint64_t *ret_lsn);
bool lsn_parse_len(const char *text, size_t len, uint64_t *ret_lsn);

typedef enum {
    WAL_HISTORY, /* 00000002.history */
    WAL_SEGMENT, /* 000000010000001600000042 */
    WAL_BACKUP,  /* 000000010000001600000042.00000028.backup */
    WAL_PARTIAL, /* 000000010000001600000042.partial */
} WalKind;

/* What the text of a name says by itself; which position it means depends on the segment size. */
typedef struct {
    WalKind kind;
    uint32_t timeline;
    uint32_t high, low; /* second and third group of digits; 0 for a history */
    uint32_t offset;    /* of a backup's start in its segment */
} WalName;

typedef struct {
    char text[41];
} WalNameText;

/* The exact spelling that PostgreSQL uses, of things that exist: no timeline 0, no segment before
 * the first one. BS_ERROR_USAGE. */
bool wal_name_parse(const char *text, WalName *ret_name, GError **error);
WalNameText wal_name_text(const WalName *name);
/* The order of the texts: by timeline, its history first, then by position. */
int wal_name_compare(const WalName *a, const WalName *b);

/* The segment that holds the byte at lsn. segment_size here and below is a valid one. */
WalName wal_name_of(uint32_t timeline, uint64_t lsn, uint32_t segment_size);
/* Where the segment begins, or the backup that the label is of; not for a history.
 * BS_ERROR_MISMATCH when no cluster with this segment size gives such a name. */
bool wal_name_lsn(const WalName *name, uint32_t segment_size, uint64_t *ret_lsn, GError **error);

static inline uint64_t wal_segment_start(uint64_t lsn, uint32_t segment_size)
{
    return lsn & ~((uint64_t)segment_size - 1);
}
static inline uint32_t wal_segment_offset(uint64_t lsn, uint32_t segment_size)
{
    return (uint32_t)(lsn & (segment_size - 1));
}
