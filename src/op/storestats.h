/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a store, counted by its listing alone: no key is needed and no lock taken. */
#pragma once
#include "store/store.h"

typedef struct {
    uint64_t objects, bytes;
    int64_t oldest, newest; /* Unix seconds; nothing when there are no objects */
} StoreUsage;

typedef enum {
    STORE_CONFIG,
    STORE_KEYS,
    STORE_DATA,
    STORE_INDEX,
    STORE_SNAPSHOTS,
    STORE_LOCKS,
    STORE_WAL,
    STORE_BACKSTAY,
    STORE_OTHER, /* not of the format: foreign files */
    STORE_PLACES
} StorePlace;

const char *store_place_name(StorePlace place); /* "config", "keys", ... */

typedef struct {
    StoreUsage total, places[STORE_PLACES];
    StoreUsage unfinished;  /* not in the total: what interrupted uploads have left */
    bool unfinished_unseen; /* these keys may not list them */
    bool has_room;          /* a disk; of a bucket the next two are not known */
    uint64_t free, room;    /* what this user may still write to it, and how large it is */
} StoreStats;

/* BS_ERROR_NO_REPO when the store holds none: its path may be mistyped or its disk not mounted. */
bool op_store_stats(Store *store, StoreStats *ret_stats, GError **error);
