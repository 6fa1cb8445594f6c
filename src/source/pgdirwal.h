/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WAL that a base backup needs to become consistent, from pg_wal of the directory: every record
 * of it is read and proven. What the server recycles meanwhile is noticed, and fails. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "source/pgtree.h"

typedef struct {
    int directory;        /* the data directory */
    uint32_t timeline;    /* of all of it */
    uint64_t start, stop; /* LSN */
    uint32_t segment_size;
    uint64_t system_id;
    TarEntry like; /* owner and time of what is made */
    const Cancel *cancel;
} PgDirWal;

/* Into pgdata/pg_wal, which was begun to be come back to: whole segments, and the histories of
 * timelines. BS_ERROR_FAILED: the server has recycled some of it; BS_ERROR_CORRUPT. */
bool pg_dir_wal_push(const PgDirWal *wal, PgTree *tree, GError **error);
/* Of a stopped cluster: where the record at wal->start ends. */
bool pg_dir_wal_record_end(const PgDirWal *wal, uint64_t *ret_end, GError **error);
