/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments along a way, in their order, fetched fetch by threads of its own. One thread takes.
 */
#pragma once
#include "op/walpath.h"

typedef struct WalFetch WalFetch;

/* From the segment that holds the byte at lsn. path is borrowed for the life of it. */
WalFetch *wal_fetch_new(const WalPath *path, uint64_t lsn);
/* Waits for what is being fetched. */
void wal_fetch_free(WalFetch *fetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalFetch, wal_fetch_free)

/* The next one. ret_segment is set also on failure: the errors of wal_held_get(). After the first
 * failure nothing more may be taken. */
bool wal_fetch_take(WalFetch *fetch, WalPathSegment *ret_segment, GBytes **ret_content,
                    GError **error);
