/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on its way to a store that nobody waits for, in threads of its own. Order is kept: data
 * (what nobody looks for before something else names it) goes side by side; everything else begins
 * when all before it is done, and ends before anything after it begins. The first failure ends the
 * feed: what waits is dropped, and nothing more is taken.
 *
 * Memory: 32 MiB, or one larger object. Who brings more waits for room, in all as long as the
 * feed's patience lasts; then what finds no room is not taken.
 */
#pragma once
#include "store/store.h"

typedef struct Feed Feed;

typedef struct {
    int64_t patience_ms; /* 0: ten seconds */
    /* Once, from a thread of the feed. */
    void (*failed)(const GError *why, void *user);
    void *user;
} FeedOptions;

/* Both stores are borrowed. from: where feed_carry() reads. */
Feed *feed_new(Store *from, Store *to, const FeedOptions *options);
/* Lets what waits be done first. Takes NULL. */
void feed_free(Feed *feed);

/* False: not taken. Bytes and keys are copied. With if_absent an object that is there with other
 * bytes is a failure. */
bool feed_put(Feed *feed, const char *key, const void *data, size_t len, bool if_absent,
              bool is_data);
/* The object as it lies in `from`. */
bool feed_carry(Feed *feed, const char *key, bool if_absent);
bool feed_remove(Feed *feed, const char *const *keys, size_t n);
/* Waits until all that was taken is done or dropped. */
void feed_flush(Feed *feed);
/* Drops what waits and takes nothing more; does not wait for what is under way. */
void feed_stop(Feed *feed);
/* By that, or by a failure that is told or about to be. */
bool feed_is_stopped(Feed *feed);
/* What was taken and then dropped, the one that failed among it: puts and their bytes. */
void feed_dropped(Feed *feed, uint64_t *ret_objects, uint64_t *ret_bytes);
