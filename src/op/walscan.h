/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the records of the WAL along a way, in order, as a recovery would replay them. Segments are
 * fetched and proven ahead by threads of its own; memory: a few segments, one ahead of large ones.
 * One thread calls.
 */
#pragma once
#include "base/cancel.h"
#include "op/walpath.h"
#include "pg/walevent.h"

typedef enum {
    WAL_SCAN_STOPPED, /* the receiver has seen enough */
    WAL_SCAN_LIMIT,   /* all that was asked for */
    WAL_SCAN_MISSING, /* the next segment is not held */
    WAL_SCAN_DAMAGED, /* a segment is not as it was stored, of another cluster, or its records end
                       */
} WalScanEnd;

typedef struct {
    WalScanEnd end;
    uint64_t position; /* what lies before is proven */
    unsigned segments; /* that were read */
    WalName segment;   /* missing, damaged: which one */
    bool gap;          /* missing: later ones are held */
    char *reason;      /* missing, damaged: in words */
} WalScanResult;
void wal_scan_result_clear(WalScanResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalScanResult, wal_scan_result_clear)

/* True: go no further. What it is given is borrowed for the call. */
typedef bool (*WalScanRecord)(const WalRecord *record, const WalEvent *event, void *user);

/*
 * From the record at start on, those that begin before limit. False only when the store could not
 * be asked or the work was cancelled; where the WAL ends is no failure.
 */
bool wal_scan(const WalPath *path, uint64_t start, uint64_t limit, WalScanRecord receive,
              void *user, const Cancel *cancel, WalScanResult *ret_result, GError **error);
