/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that WAL is received from, and where receiving begins: that it is the right cluster,
 * that its slot is there and never vanished unnoticed, its histories, and what the repository holds
 * already. One thread.
 */
#pragma once
#include "op/walreceive.h"
#include "op/walsegment.h"
#include "op/walslot.h"
#include "pg/history.h"
#include "pg/walstream.h"

typedef struct {
    Repo *repo;
    const WalReceive *receive;
    const Cancel *cancel;
    PgReplication *replication; /* NULL: not connected */
    PgSystem system;            /* system_id 0: never connected yet */
    uint32_t segment_size;
    int release;
    PgSlot slot;
    WalSlot record;
    bool recorded;  /* the record is there */
    bool made;      /* the slot was made on this connection */
    bool recreate;  /* as asked for, until the server was heard once */
    bool may_skip;  /* WAL that the server no longer has may be passed over */
    uint64_t begun; /* LSN: where the last start was tried */
    uint32_t begun_on;
} WalSource;

/* All is borrowed. */
void wal_source_init(WalSource *source, Repo *repo, const WalReceive *receive,
                     const Cancel *cancel);
void wal_source_done(WalSource *source);
void wal_source_disconnect(WalSource *source);

/* BS_ERROR_MISMATCH: not the cluster that is wanted, or that it was before; the errors of
 * pg_replication_connect(). */
bool wal_source_connect(WalSource *source, const PgUrl *url, GError **error);

typedef struct {
    uint64_t lsn; /* the begin of a segment; all before on the way is durable */
    uint32_t timeline;
    WalSegment known; /* the part of it that is held; without content: none */
    GArray *stale;    /* of WalObject: parts that nobody needs */
} WalSourceStart;
void wal_source_start_clear(WalSourceStart *start);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalSourceStart, wal_source_start_clear)

/* The slot is there, the server's history in the repository. BS_ERROR_WAL_GAP: the slot has
 * vanished. BS_ERROR_TRANSIENT: the server's WAL ends before what is held. */
bool wal_source_begin(WalSource *source, WalSourceStart *ret_start, GError **error);
/* After the end of a timeline: the new one, whose history is durable then. Replaces what start
 * holds. */
bool wal_source_switch(WalSource *source, const PgWalNext *next, WalSourceStart *start,
                       GError **error);

/* True: the failure was that the server no longer has WAL, and that may be passed over: the next
 * start is behind it. */
bool wal_source_pass_over(WalSource *source, const GError *failure);
/* Adds what is lost and what to do. */
void wal_source_explain(const WalSource *source, GError **failure);
