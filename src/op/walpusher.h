/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives WAL files for whoever asks, several at once, from threads of its own, and looks ahead:
 * of segments that wait in the same directory the next ones are archived beside it, so that they
 * are durable already when the server asks for them, one after the other.
 */
#pragma once
#include "op/keeper.h"
#include "op/walfile.h"

typedef struct WalPusher WalPusher;

typedef struct {
    int file, pg_wal;   /* descriptors: of the file, and of the directory that it lies in */
    uint64_t system_id; /* of its cluster; 0: not known */
    const char *name;   /* as PostgreSQL calls it */
} WalAsk;

/* From a thread of the pusher; of the two one is NULL. Durable when it is pushed. */
typedef void (*WalAnswer)(const WalPushed *pushed, const GError *failure, void *user);

/* keeper is borrowed. jobs: files at once. */
WalPusher *wal_pusher_new(Keeper *keeper, unsigned jobs);
/* Waits for the answers to everything that was asked for. */
void wal_pusher_free(WalPusher *pusher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalPusher, wal_pusher_free)

/* Takes the descriptors; answer is called once. Any thread; at once. */
void wal_pusher_ask(WalPusher *pusher, const WalAsk *ask, WalAnswer answer, void *user);
