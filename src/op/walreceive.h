/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receives PostgreSQL's write-ahead log over a replication slot, as it is written: whole segments,
 * the same objects that `wal push` makes, and every few seconds a part of the one that is not
 * complete (op/walsegment.h). The server is told that WAL is durable when it is in the repository,
 * not before, so whatever it has let go of is there.
 */
#pragma once
#include "op/open.h"
#include "op/walstorer.h"

typedef enum {
    WAL_RECEIVE_SLOT,     /* the slot was made; kept: from where on it keeps WAL, if known */
    WAL_RECEIVE_STARTED,  /* a stream began at lsn of timeline */
    WAL_RECEIVE_STORED,   /* stored is durable */
    WAL_RECEIVE_TIMELINE, /* the server has left its timeline at lsn; timeline: the new one */
} WalReceiveKind;

typedef struct {
    WalReceiveKind kind;
    uint64_t system_id;
    uint32_t timeline;
    uint64_t lsn;
    const WalStored *stored; /* STORED; borrowed */
} WalReceiveEvent;

typedef struct {
    const char *slot;
    uint64_t system_id; /* of the cluster that it must be; 0: any */
    int64_t partial_ms; /* 0: only when somebody stops */
    bool recreate;      /* a slot that has vanished is made again, and lost WAL passed over */
    bool once;          /* a lost connection is the end */
    void (*event)(const WalReceiveEvent *event, void *user); /* in the calling thread */
    void *user;
} WalReceive;

/*
 * Until stop is set; then the last part is stored, and it is true. A lost connection is made again,
 * an outage of the repository waited for: both are logged. Otherwise false:
 * BS_ERROR_USAGE: url or the slot's name; BS_ERROR_WAL_GAP: the slot is gone, or the server has
 * removed WAL that is not held; the text names it. BS_ERROR_MISMATCH: another cluster, or other
 * content than what is held. The errors of open_repo(), and of pg_replication_connect() for the
 * first connection.
 */
bool op_wal_receive(const Settings *settings, const char *url, const WalReceive *receive,
                    const Cancel *stop, GError **error);
