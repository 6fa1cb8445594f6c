/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads from one store, and from others what the first one lacks or has cut short, or everything
 * once it cannot be reached: for commands that only read. Whatever is written, locks, and what
 * belongs to one copy alone go to the first store and nowhere else. Never for whoever must know
 * what lies in the first: a listing that falls back is that of another store.
 */
#pragma once
#include "store/mirror.h"

typedef struct {
    MirrorKind (*kind)(const char *key);
    /* The i-th other store, borrowed; NULL: it cannot be had. Asked for once, when it is needed,
     * from any thread. */
    Store *(*open)(size_t i, void *user);
    /* From now on something is read there; why: what the first one said. Once for each. */
    void (*used)(size_t i, const GError *why, void *user);
    void *user;
} FallbackOptions;

/* first is borrowed; the options are copied. There are no others yet. */
Store *fallback_store_new(Store *first, const FallbackOptions *options);
/* Before any other thread calls. */
void fallback_store_set(Store *store, size_t n);
