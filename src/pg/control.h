/* SPDX-License-Identifier: Apache-2.0 */
/*
 * global/pg_control: what a cluster is and where its last checkpoint lies. PostgreSQL 13 to 18 on
 * 64-bit little-endian machines. PostgreSQL documentation, "pg_controldata" and
 * pg_control_system(), pg_control_checkpoint(), pg_control_init(). Pure; any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What must be read of the file for pg_control_parse(); the file is 8192 bytes long, zeros behind
 * what counts. The server writes this much at once: a reader beside it may still see a torn one. */
#define PG_CONTROL_LEN 512

/* max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions and
 * max_locks_per_transaction: a recovery stops where the server had more of one. */
#define PG_LIMITS 5

typedef enum {
    PG_STATE_STARTING, /* the first start, not yet done */
    PG_STATE_SHUT_DOWN,
    PG_STATE_SHUT_DOWN_IN_RECOVERY,
    PG_STATE_SHUTTING_DOWN,
    PG_STATE_IN_CRASH_RECOVERY,
    PG_STATE_IN_ARCHIVE_RECOVERY,
    PG_STATE_IN_PRODUCTION,
} PgState;

typedef struct {
    uint64_t system_id;
    uint32_t control_version, catalog_version;
    int release; /* 13 to 18 */
    PgState state;
    int64_t written_at; /* Unix seconds */
    uint64_t checkpoint, redo;
    uint32_t timeline, previous_timeline; /* of the checkpoint */
    int64_t checkpoint_at;                /* Unix seconds */
    uint64_t next_xid;                    /* with the epoch in its upper half */
    uint64_t min_recovery;                /* replay must reach it; 0: nothing to reach */
    uint32_t min_recovery_timeline;
    uint64_t backup_start, backup_end; /* 0, but while a base backup is being recovered */
    bool backup_end_required;
    uint32_t wal_level; /* 0 minimal, 1 replica, 2 logical */
    uint32_t limits[PG_LIMITS];
    uint32_t block_size, wal_block_size, wal_segment_size;
    uint32_t blocks_per_file;  /* of a relation */
    uint32_t checksum_version; /* of data pages; 0: they have none */
} PgControl;

/*
 * BS_ERROR_CORRUPT: too short, or its checksum does not fit; beside a running server it may only
 * have been torn: read it again. BS_ERROR_UNSUPPORTED: a release or a kind of machine we do not
 * know, which the text names.
 */
bool pg_control_parse(const void *data, size_t len, PgControl *ret_control, GError **error);
/* "in production", as pg_controldata prints it. */
const char *pg_state_text(PgState state);
