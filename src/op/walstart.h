/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where receiving WAL goes on: at the first segment that a repository does not hold, on the way to
 * the server's timeline. Pure; any thread.
 */
#pragma once
#include "pg/history.h"
#include "pg/walname.h"
#include "repo/walobject.h"

typedef struct {
    const GArray *objects;    /* of WalInfo: all that is held of the cluster, sorted */
    const PgHistory *history; /* of the server's timeline */
    uint32_t segment_size;
    uint64_t server; /* LSN: where the server's WAL ends */
    uint64_t kept;   /* from where on the slot keeps WAL; 0: not known */
    uint64_t floor;  /* WAL before it is not asked for; 0: none */
} WalStartFrom;

typedef struct {
    uint64_t lsn;      /* the begin of a segment */
    uint32_t timeline; /* that the server was on there */
    uint64_t held;     /* LSN: where the newest whole segment on the way ends; 0: none is held */
} WalStart;

/*
 * Segments behind the newest one. Where the slot is known to keep WAL of older ones, the first of
 * these that is not held: another archiver may have left a hole. With nothing held, from where the
 * slot keeps WAL, or from the segment that the server writes.
 */
WalStart wal_start_choose(const WalStartFrom *from);

/* Parts that serve nobody any more: their segment is held whole, or there is a newer one of it. Of
 * WalObject. */
GArray *wal_start_stale(const GArray *objects);
