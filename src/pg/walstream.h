/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of WAL over a replication connection, as a physical standby gets it, and the slot by
 * which the server keeps what has not arrived. PostgreSQL documentation, "Streaming Replication
 * Protocol". One thread.
 */
#pragma once
#include "pg/replication.h"
#include "pg/walframe.h"

/* ---- slots ---- */

#define PG_SLOT_NAME_MAX 63
/* Lower-case letters, digits and underscores: what a server takes. */
bool pg_slot_name_valid(const char *name);

/* A physical slot that keeps WAL from the last checkpoint on. BS_ERROR_EXISTS: there is one of this
 * name. */
bool pg_slot_create(PgReplication *replication, const char *name, GError **error);

bool pg_slot_drop(PgReplication *replication, const char *name, GError **error);

typedef struct {
    bool known;    /* servers before 15 tell nothing */
    bool there;    /* with known */
    uint64_t kept; /* LSN: from where on WAL is kept for it; 0: nothing is, or not known */
} PgSlot;

/* BS_ERROR_MISMATCH: it is a slot for logical decoding. */
bool pg_slot_read(PgReplication *replication, const char *name, PgSlot *ret_slot, GError **error);

/* The server's file <timeline>.history, as it is. */
bool pg_timeline_history(PgReplication *replication, uint32_t timeline, GBytes **ret_content,
                         GError **error);

/* ---- the stream ---- */

/*
 * From lsn on, which may be anywhere on the timeline, which may be one that the server has left.
 * BS_ERROR_NOT_FOUND: no such slot; BS_ERROR_TRANSIENT: somebody else uses it;
 * BS_ERROR_MISMATCH: the server's own WAL never was there; BS_ERROR_WAL_GAP as of pg_wal_end().
 */
bool pg_wal_start(PgReplication *replication, const char *slot, uint64_t lsn, uint32_t timeline,
                  GError **error);

typedef enum {
    PG_WAL_FRAME,
    PG_WAL_NOTHING, /* yet: the time is over, a signal came, or wake_fd can be read */
    PG_WAL_END,     /* of this stream: ask pg_wal_end() why */
    PG_WAL_FAILED,
} PgWalStep;

/* The next message, waited for at most wait_ms. What the frame borrows is valid until the next
 * call. wake_fd: -1 for none. The connection's cancel does not count here. */
PgWalStep pg_wal_next(PgReplication *replication, int wake_fd, int wait_ms, PgFrame *ret_frame,
                      GError **error);
bool pg_wal_tell(PgReplication *replication, const PgProgress *progress, GError **error);

typedef struct {
    uint32_t timeline; /* the one that the server went on with; 0: it ends, or wants us gone */
    uint64_t lsn;      /* where that begins */
} PgWalNext;

/* Why the stream has ended. BS_ERROR_WAL_GAP: what was asked for, the server no longer has. */
bool pg_wal_end(PgReplication *replication, PgWalNext *ret_next, GError **error);
