/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of an open repository, as its parts ask for it. Of a far store copies are kept in the
 * cache directory: of snapshots and index objects, and of whole packs when they are asked for as
 * packs of trees; which ones those are only the repository knows. Content of files is never kept.
 */
#pragma once
#include "repo/repo.h"
#include "store/cache.h"

typedef struct {
    Store *plain; /* for everything */
    Store *trees; /* for packs of trees, and only as such */
    Cache *cache; /* NULL: no copies, and both are the store itself */
} Stores;

/* The store is borrowed. */
void stores_open(Stores *stores, Store *store, const RepoOptions *options, const char *repo_id);
void stores_close(Stores *stores); /* takes a zeroed one */
