/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store and its copies. A put returns when the object is durable in the first store and in every
 * *required* copy; a failure of either is a failure of the put. *Eventual* copies get it too, from
 * threads of their own (store/feed.h); one that fails or is too slow is behind from then on, and
 * the caller is told once. Reads come from the first store alone.
 *
 * At every copy, always: what names something comes after what it names. So a copy that has missed
 * anything is given data at most, which nobody looks for before something else names it. And
 * whatever the first store shows lies in every required copy: what names something goes to these
 * first and is removed from them last.
 *
 * Locks lie in the first store and in all copies that can be reached, and are looked for in all of
 * them, so that whoever works on a copy alone is seen.
 */
#pragma once
#include "store/store.h"

typedef enum {
    MIRROR_DATA,  /* nobody looks for it before something else names it */
    MIRROR_NAMES, /* everything else */
    MIRROR_LOCK,
    MIRROR_OWN, /* belongs to one copy alone: stays in the first store */
} MirrorKind;

/* What a copy gets, besides locks. */
typedef enum {
    MIRROR_TAKES_NOTHING, /* nothing, and no locks: it cannot be reached */
    MIRROR_TAKES_DATA,    /* it lacks something; data, so that less is left to catch up with */
    MIRROR_TAKES_PUTS,    /* has all that the first store has, and more: nothing is removed */
    MIRROR_TAKES_ALL,
} MirrorTakes;

typedef struct {
    char *name, *location;
    bool required;
    MirrorTakes takes;
    GError *why;                   /* it takes less than before, or NULL */
    uint64_t missed, missed_bytes; /* puts that it did not get */
    uint64_t kept;                 /* removals */
} MirrorState;
void mirror_state_clear(MirrorState *state);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MirrorState, mirror_state_clear)

typedef struct {
    MirrorKind (*kind)(const char *key); /* of a key, or of a prefix with its '/' */
    /* An eventual copy takes less from now on. From any thread; once or twice for each. */
    void (*behind)(const MirrorState *state, void *user);
    void *user;
    int64_t patience_ms; /* how long all puts together wait for a slow copy; 0: ten seconds */
} MirrorOptions;

/* first is borrowed, and so are the copies; the options are copied. */
Store *mirror_store_new(Store *first, const MirrorOptions *options);

/* Before any other thread calls. */
void mirror_store_add(Store *store, const char *name, Store *copy, bool required,
                      MirrorTakes takes);
size_t mirror_store_n(const Store *store);
Store *mirror_store_copy(const Store *store, size_t i); /* borrowed */
void mirror_store_state(Store *store, size_t i, MirrorState *ret_state);
/* What was found out about a copy, by whoever compared it: says nothing to behind(). With
 * MIRROR_TAKES_PUTS or more what it had missed is forgotten. */
void mirror_store_set(Store *store, size_t i, MirrorTakes takes);
/* Whoever used an eventual copy by himself met a failure: from now on it takes nothing. */
void mirror_store_fail(Store *store, size_t i, const GError *why);
/* Waits until the eventual copies have what they were given. To be done before locks are removed.
 */
void mirror_store_flush(Store *store);
