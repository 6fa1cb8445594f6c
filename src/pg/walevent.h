/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record of WAL means to a recovery that looks for its target: ends of transactions, restore
 * points, checkpoints, changes of the timeline; and what it does outside of the data directory.
 * PostgreSQL documentation, "Recovery Target". Pure; any thread.
 */
#pragma once
#include "pg/control.h"
#include "pg/walrecord.h"

typedef enum {
    WAL_OTHER,
    WAL_COMMIT,
    WAL_ABORT,
    WAL_RESTORE_POINT,
    WAL_CHECKPOINT,
    WAL_END_OF_RECOVERY, /* a timeline begins without a checkpoint */
    WAL_BACKUP_END,
    WAL_PARAMETERS,  /* settings that a standby must know have changed */
    WAL_OVERWRITTEN, /* of a record that a crash left unfinished */
    WAL_TABLESPACE,  /* one was made; a recovery makes it again, at the same path */
} WalEventKind;

typedef struct {
    WalEventKind kind;
    int64_t time_us; /* Unix; of a checkpoint whole seconds; 0 where none is told */

    /* commit, abort */
    uint32_t xid;            /* the transaction's own, also when it was prepared */
    bool prepared;           /* before, by PREPARE TRANSACTION */
    const uint8_t *subxacts; /* borrowed from the record: 32-bit numbers, little-endian */
    uint32_t n_subxacts;

    /* restore point; ends with a zero byte */
    char name[64];

    /* checkpoint: redo; backup end: where the backup began; overwritten: the lost record */
    uint64_t lsn;
    bool shutdown; /* checkpoint: of a server that stopped */

    /* checkpoint, end of recovery; equal but where a timeline begins */
    uint32_t timeline, previous_timeline;
    /* parameters */
    int wal_level; /* 0 minimal, 1 replica, 2 logical */
    uint32_t limits[PG_LIMITS];

    /* tablespace: its number, and its directory, borrowed from the record; "": in pg_tblspc/ */
    uint32_t oid;
    const char *location;
} WalEvent;

/* BS_ERROR_CORRUPT: too short for what it says it is. */
bool wal_event_decode(const WalRecord *record, WalEvent *ret_event, GError **error);
