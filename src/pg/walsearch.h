/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a recovery would stop: PostgreSQL's own rules for its recovery targets (documentation,
 * "Recovery Target"), applied to the records of WAL without a server. So a target that cannot be
 * reached is found out before anything is restored. One thread at a time.
 */
#pragma once
#include "pg/walevent.h"

typedef enum {
    WAL_TARGET_NONE, /* all that is held */
    WAL_TARGET_IMMEDIATE,
    WAL_TARGET_LSN,
    WAL_TARGET_TIME,
    WAL_TARGET_XID,
    WAL_TARGET_NAME,
} WalTargetKind;

typedef struct {
    WalTargetKind kind;
    bool exclusive; /* of lsn, time and xid: stop just before */
    uint64_t lsn;
    int64_t time_us; /* Unix */
    uint32_t xid;
    const char *name; /* of a restore point; borrowed */
    /* Recovery must not stop before this place: the end of the base backup. */
    uint64_t consistent;
} WalTarget;

/* "2026-11-21 09:00:00.500000+00", which PostgreSQL reads back. To be freed. */
char *wal_time_text(int64_t time_us);
/* "position 0/2000060", as it stands in a message. To be freed. */
char *wal_target_text(const WalTarget *target);

typedef struct {
    WalTarget target;
    bool stopped;
    uint64_t stop;        /* the record that recovery stops at */
    bool after;           /* having replayed it */
    uint64_t replayed;    /* the end of the last record that is replayed; 0: of none */
    uint64_t last;        /* begin of the last record that was offered */
    int64_t last_time_us; /* of the last end of a transaction; 0: there was none */
} WalSearch;

void wal_search_init(WalSearch *search, const WalTarget *target);
/* Every record from the first one that recovery replays, in their order. true: recovery stops here,
 * and nothing more may be offered. */
bool wal_search_offer(WalSearch *search, const WalRecord *record, const WalEvent *event);

/* The checkpoint of a shutdown, with which recovery begins: it is not replayed, what follows is. */
void wal_search_begin_behind(WalSearch *search, const WalRecord *checkpoint);

/* After the last record. BS_ERROR_NOT_FOUND: what was offered does not reach the target;
 * BS_ERROR_USAGE: the target lies before the end of the base backup. The texts name the place that
 * can be reached. */
bool wal_search_finish(const WalSearch *search, GError **error);
