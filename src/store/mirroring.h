/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the mirror store share. */
#pragma once
#include "store/feed.h"
#include "store/mirror.h"

#include <pthread.h>

typedef struct MirrorStore MirrorStore;

typedef struct {
    MirrorStore *mirror;
    char *name;
    Store *store;
    bool required;
    Feed *feed;        /* NULL: required */
    MirrorTakes takes; /* this and the rest: under the mutex */
    GError *why;
    uint64_t missed, missed_bytes, kept;
} Copy;

struct MirrorStore {
    Store base;
    Store *first;
    MirrorOptions options;
    GPtrArray *copies; /* of Copy */
    pthread_mutex_t mutex;
};

static inline Copy *copy_at(const MirrorStore *mirror, size_t i)
{
    return g_ptr_array_index(mirror->copies, i);
}

MirrorTakes copy_takes(Copy *copy);
/* An eventual copy takes no more than this from now on. */
void copy_fall_behind(Copy *copy, MirrorTakes takes, const GError *why);
/* Takes failure, of a call to a copy. False: it is a required one, and so the caller's call fails.
 */
bool copy_may_fail(Copy *copy, GError *failure, GError **error);

/* What the first store has no longer; all of one kind. */
bool mirror_remove_from_copies(MirrorStore *mirror, const char *const *keys, size_t n,
                               GError **error);

/* ---- mirrorget.c ---- */

bool mirror_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                GError **error);
bool mirror_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                      GError **error);
bool mirror_stat(Store *store, const char *key, uint64_t *ret_size, GError **error);
bool mirror_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error);

/* ---- mirrorput.c ---- */

bool mirror_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                GError **error);
bool mirror_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error);

/* ---- mirrorguard.c ---- */

bool mirror_guard(Store *store, StoreGuard *ret_guard, GError **error);
bool mirror_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                     GError **error);
bool mirror_get_version(Store *store, const char *key, const char *id, size_t bound,
                        GBytes **ret_data, GError **error);
bool mirror_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                    bool *ret_done, GError **error);
bool mirror_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                       void *user, GError **error);
