/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that nobody has asked for yet: which are to be archived ahead, and which are durable. A
 * segment is known by the directory it lies in, its name and its cluster. Any thread.
 */
#pragma once
#include "base/id.h"
#include "op/walinput.h"

#define WAL_AHEAD_MAX 8u /* of one directory */

typedef struct WalAhead WalAhead;

WalAhead *wal_ahead_new(void);
void wal_ahead_free(WalAhead *ahead); /* when no thread is inside any more */

/* Where a segment lies that somebody asks for. */
typedef struct {
    int pg_wal; /* borrowed */
    uint64_t system_id;
    WalName name;
} WalPlace;

/* Nobody has archived that one, as far as can be said. */
typedef bool (*WalAheadFree)(const WalPlace *place, void *user);
/* Looks for segments that wait behind this one, and takes up to WAL_AHEAD_MAX of them in; what is
 * before it is forgotten. durable: this one is, as it was claimed. Nothing is taken in behind one
 * that is not free: it may be another server's, such as a copy of this one, and then so is all that
 * should follow it. False: there is nothing new to do. */
bool wal_ahead_plan(WalAhead *ahead, const WalPlace *place, bool durable, WalAheadFree is_free,
                    void *user);

typedef struct WalAheadItem WalAheadItem;

/* The next to be archived; NULL: none. The caller alone has it until wal_ahead_end(). */
WalAheadItem *wal_ahead_begin(WalAhead *ahead);
const WalPlace *wal_ahead_place(const WalAheadItem *item);
/* What became of it, or NULL: nothing, and it is forgotten. */
typedef struct {
    WalIdentity identity;
    Id sha256; /* of the content */
    WalPushed pushed;
} WalDurable;
void wal_ahead_end(WalAhead *ahead, WalAheadItem *item, const WalDurable *durable);

/* Somebody asks, before wal_ahead_plan() for the same place: waits while it is being archived, and
 * hands out what is durable, once, for half a minute. False: it is to be archived now. */
bool wal_ahead_claim(WalAhead *ahead, const WalPlace *place, WalDurable *ret_durable);
/* Forgets what is durable: the repository may not be the same any more. */
void wal_ahead_forget(WalAhead *ahead);
