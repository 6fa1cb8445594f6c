/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a sync share. */
#pragma once
#include "repo/mirrors.h"
#include "repo/sync.h"

typedef enum {
    SYNC_KEYS,
    SYNC_PACKS,
    SYNC_INDEX,
    SYNC_SNAPSHOTS,
    SYNC_WAL,
    SYNC_RECORDS,
    SYNC_MIRRORS,
    SYNC_PLACES
} SyncPlace;

typedef struct {
    Id id;
    char *name; /* the whole key, where names are no ids; else NULL */
    uint64_t size;
    int64_t modified_at; /* Unix seconds */
    bool replaces;       /* an object of another size */
} SyncItem;

struct Sync {
    Repo *repo;
    Store *from, *to;
    GArray *here[SYNC_PLACES], *there[SYNC_PLACES];    /* of SyncItem, sorted; NULL: not listed */
    GArray *missing[SYNC_PLACES], *extra[SYNC_PLACES]; /* of SyncItem, sorted */
    GBytes *config;                                    /* as it must be there; NULL: it is */
    SyncFacts facts;
};

char *sync_key(SyncPlace place, const SyncItem *item);
int sync_item_compare(const void *a, const void *b);
bool sync_lists(const GArray *items, const SyncItem *item); /* sorted ones */
