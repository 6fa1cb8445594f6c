/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a stream of WAL that has been started: its bytes go into buffers, whole segments and
 * parts to the storer (op/walstorer.h), and the server hears what has come and what is durable. One
 * thread.
 */
#pragma once
#include "op/walsegment.h"
#include "op/walstorer.h"
#include "pg/walstream.h"

typedef struct {
    PgReplication *replication;
    WalStorer *storer;
    const Cancel *cancel; /* ends it: what has come is handed over */
    uint32_t timeline, segment_size;
    uint64_t start;          /* LSN: the begin of a segment; all before is durable */
    const WalSegment *known; /* a part of that first segment is held already; NULL: none is */
    int64_t partial_ms;      /* how often a part is stored; 0: when the server waits for it */
    /* Of each object that has become durable. */
    void (*stored)(const WalStored *stored, void *user);
    void *user;
} WalFollow;

/*
 * Until the stream ends (*ret_next says why), or cancel is set. *ret_heard: the server has sent
 * anything at all. Either way all that has come is handed to the storer. BS_ERROR_MISMATCH: the
 * server's WAL is not what is held of it; the errors of the storer, pg_wal_next() and pg_wal_end();
 * BS_ERROR_UNREACHABLE: nothing was heard of it for long.
 */
bool wal_follow(const WalFollow *follow, bool *ret_heard, PgWalNext *ret_next, GError **error);
