/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of WAL, gathered from its pages. PostgreSQL documentation, "WAL Internals" and
 * "pg_walinspect". Pure; any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define WAL_RECORD_HEADER 24
#define WAL_RECORD_MAX    (UINT32_C(1020) << 20) /* the server makes none larger */

/* Resource managers whose records are understood here. */
#define WAL_RMGR_XLOG       0
#define WAL_RMGR_XACT       1
#define WAL_RMGR_TABLESPACE 5

typedef struct {
    uint64_t lsn; /* where it begins */
    uint64_t end; /* where the next one may begin; after a switch the next segment */
    uint64_t prev;
    int release;
    uint32_t timeline; /* of the page that it begins on */
    uint32_t xid;      /* 0: of no transaction */
    uint8_t rmgr, info;
    const uint8_t *data; /* all of it, with its header */
    uint32_t len;
    const uint8_t *main; /* what belongs to the record and not to one of its blocks */
    uint32_t main_len;
} WalRecord;

/* What a record's first bytes say: total length, xid, prev, rmgr, info. data: WAL_RECORD_HEADER
 * bytes. false: no record can begin like this. */
bool wal_record_header(const void *data, WalRecord *record);

/* record->data and len are set, as is release: fills in the rest but lsn, end and timeline.
 * BS_ERROR_CORRUPT: its checksum does not fit, or its parts do not fill it. */
bool wal_record_parse(WalRecord *record, GError **error);

/* Skips the rest of its segment. */
bool wal_record_is_switch(const WalRecord *record);
