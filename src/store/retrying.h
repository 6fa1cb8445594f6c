/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the retry store share. */
#pragma once
#include "store/retry.h"

#include <stdatomic.h>

typedef struct {
    Store base;
    Store *next;
    RetryPolicy policy;
    atomic_bool gone; /* a call has given up, and none was answered since */
} RetryStore;

/* By the policy of this store. Takes what. */
bool retry_call(RetryStore *retry, char *what, RetryTry try, void *user, GError **error);

/* ---- retrylist.c ---- */

/* What several tries of one listing have told. */
typedef struct {
    GArray *marks; /* the first n_sorted of them, those of earlier tries, are sorted */
    guint n_sorted;
} RetryTold;
void retry_told_init(RetryTold *told);
void retry_told_done(RetryTold *told);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RetryTold, retry_told_done)
void retry_told_begin(RetryTold *told); /* each try */
/* False: an earlier try has told it. */
bool retry_told_is_new(RetryTold *told, const char *name);

bool retry_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error);
bool retry_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                           GError **error);
bool retry_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                             GError **error);

/* ---- retryguard.c ---- */

bool retry_guard(Store *store, StoreGuard *ret_guard, GError **error);
bool retry_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                    GError **error);
bool retry_get_version(Store *store, const char *key, const char *id, size_t bound,
                       GBytes **ret_data, GError **error);
bool retry_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                   bool *ret_done, GError **error);
bool retry_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                      void *user, GError **error);
