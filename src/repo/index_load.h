/* SPDX-License-Identifier: Apache-2.0 */
/* The image of a repository's index: from the cache, brought up to date, or made from the index
 * objects. */
#pragma once
#include "repo/index_table.h"

/* Waits for the store, which is asked in several threads; repo is not changed. ret_table is the
 * caller's. BS_ERROR_CORRUPT: an index object is damaged, and named; other errors are the store's.
 */
bool index_table_load(Repo *repo, const Cancel *cancel, IndexTable **ret_table, GError **error);
/* See index_load_full. */
bool index_table_load_full(Repo *repo, IndexBad bad, void *user, const Cancel *cancel,
                           IndexTable **ret_table, GError **error);
