/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of one repository's caches, <cache_dir>/<repository id>/. It holds the index image
 * (repo/index_cache.h) and copies of far objects (repo/stores.h), and may be deleted at any time.
 */
#pragma once

/* Its path, to be freed. Makes it, marks cache_dir as one of caches, and notes the time of use as
 * its own. NULL: there is none to be had (cache_dir NULL, not writable, ...). */
char *cachedir_open(const char *cache_dir, const char *repo_id);
