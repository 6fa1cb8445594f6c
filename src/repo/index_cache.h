/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index image of one repository in the cache directory: <cache_dir>/<repository id>/index.v1.
 * It only saves time: whatever is wrong with it, it is as if it were not there. Two processes may
 * write it at once; the last one wins, and what the other has mapped stays.
 */
#pragma once
#include "codec/seal.h"
#include "repo/index_table.h"

typedef struct IndexCache IndexCache;

/* Makes the directories. NULL: there is no cache to be had (cache_dir NULL, not writable, ...). */
IndexCache *index_cache_open(const char *cache_dir, const char *repo_id, const SealKey *master);
void index_cache_free(IndexCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IndexCache, index_cache_free)

const uint8_t *index_cache_key(const IndexCache *cache);
/* NULL: none, or a damaged one. */
IndexTable *index_cache_load(const IndexCache *cache);

/* A new file beside the image, -1 when there can be none. Ends with save or drop; both close it. */
int index_cache_begin(const IndexCache *cache, char **ret_path);
/* Puts it in the place of the image. */
bool index_cache_save(const IndexCache *cache, int fd, const char *path);
void index_cache_drop(int fd, const char *path);
/* A file without a name, for what does not fit into memory. -1. */
int index_cache_scratch(const IndexCache *cache);
