/* SPDX-License-Identifier: Apache-2.0 */
/* The image of a repository's index: from the cache, brought up to date, or made from the index
 * objects. */
#pragma once
#include "repo/index_table.h"

bool index_table_load(Repo *repo, const Cancel *cancel, IndexTable **ret_table, GError **error);
/* See index_load_full. */
bool index_table_load_full(Repo *repo, IndexBad bad, void *user, const Cancel *cancel,
                           IndexTable **ret_table, GError **error);
