/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments fetched ahead of a recovery. PostgreSQL asks for one after the other and replays each
 * before it asks again; meanwhile a process in the background fetches those that follow into a
 * spool (op/walspool.h). There is one for a spool; it follows what is asked for, keeps at most so
 * many segments, stops at the first that the repository does not hold until something is asked for
 * again, and ends, with what it has fetched, when nothing was for a minute. Where it fails it ends
 * without a word: who asks for the segment will be told.
 */
#pragma once
#include "config/settings.h"
#include "op/walspool.h"

#define WAL_PREFETCH_DEFAULT 8
#define WAL_PREFETCH_MAX     64

typedef struct {
    const char *spool; /* directory, or NULL: below the cache directory */
    unsigned segments; /* at most; fewer when they are large. 0: nothing is fetched ahead */
} WalPrefetchOptions;

typedef struct {
    const Settings *settings;
    WalPrefetchOptions options;
    WalSpool *spool; /* NULL: nothing is fetched ahead */
    uint64_t system_id;
    int go; /* to the process that waits, or -1 */
} WalPrefetch;

/* To be called before there are threads: forks the process when there is none. */
void wal_prefetch_init(WalPrefetch *ahead, const Settings *settings,
                       const WalPrefetchOptions *options, uint64_t system_id);
/* The segment has been handed out: those that follow are wanted. */
void wal_prefetch_go(WalPrefetch *ahead, const WalName *name, uint32_t size);
void wal_prefetch_done(WalPrefetch *ahead);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalPrefetch, wal_prefetch_done)
