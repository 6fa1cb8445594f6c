/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retrying.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* The first pauses bridge one lost packet or one overloaded moment; the longest is what a server
 * that comes back has to wait for us. */
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS   (60 * 1000)
#define DEADLINE_MS    (15 * 60 * 1000)
#define KEYS_A_TRY     1000 /* what S3 removes with one request */

static bool is_transient(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT);
}

/* ---- one call, several tries ---- */

/* tries: how many have failed. Half of a pause is left to chance, so that those who failed together
 * do not come back together. */
static int64_t pause_after(unsigned tries, int64_t asked_ms)
{
    int64_t longest_ms = PAUSE_FIRST_MS;
    int64_t jitter_ms, pause_ms;

    for (unsigned n = 1; n < tries && longest_ms < PAUSE_MAX_MS; n++)
        longest_ms = MIN(2 * longest_ms, PAUSE_MAX_MS);
    jitter_ms = g_random_int_range(0, (gint32)(longest_ms / 2) + 1);
    pause_ms = longest_ms / 2 + jitter_ms;
    return pause_ms >= asked_ms ? pause_ms : asked_ms + jitter_ms;
}

static bool give_up(GError *failure, unsigned tries, int64_t spent_ms, GError **error)
{
    if (tries > 1)
        g_prefix_error(&failure, "given up after %u tries in %" G_GINT64_FORMAT " s: ", tries,
                       (spent_ms + 500) / 1000);
    g_propagate_error(error, failure);
    return false;
}

static bool pause_or_stop(const RetryPolicy *policy, const char *what, const GError *failure,
                          int64_t pause_ms, GError **error)
{
    if (policy->again && !cancel_is_set(policy->cancel))
        policy->again(what, failure, pause_ms, policy->user);
    if (cancel_sleep(policy->cancel, pause_ms, error))
        return true;
    g_prefix_error(error, "%s: ", failure->message);
    return false;
}

bool retry_run(const RetryPolicy *policy, const char *what, RetryTry try, void *user,
               GError **error)
{
    int64_t deadline_ms = policy->deadline_ms ? policy->deadline_ms : DEADLINE_MS;
    int64_t first_ms = 0;

    for (unsigned tries = 1;; tries++) {
        g_autoptr(GError) failure = NULL;
        int64_t now_ms, left_ms, pause_ms;

        if (try(user, &failure))
            return true;
        if (!is_transient(failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        now_ms = clock_monotonic_ms();
        if (tries == 1)
            first_ms = now_ms;
        left_ms = first_ms + deadline_ms - now_ms;
        if (left_ms <= 0)
            return give_up(g_steal_pointer(&failure), tries, now_ms - first_ms, error);
        pause_ms = pause_after(tries, MIN(bs_error_wait_ms(failure), left_ms));
        if (!pause_or_stop(policy, what, failure, MIN(pause_ms, left_ms), error))
            return false;
    }
}

bool retry_call(RetryStore *retry, char *what_to_do, RetryTry try, void *user, GError **error)
{
    g_autofree char *what = what_to_do;
    g_autoptr(GError) failure = NULL;
    RetryPolicy policy = retry->policy;

    if (atomic_load(&retry->gone))
        policy.deadline_ms = -1;
    if (retry_run(&policy, what, try, user, &failure)) {
        atomic_store(&retry->gone, false);
        return true;
    }
    // every other failure but our own interruption is an answer
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED))
        atomic_store(&retry->gone, is_transient(failure));
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- put ---- */

typedef struct {
    Store *next;
    const char *key;
    const void *data;
    size_t len;
    bool if_absent;
    bool again;
} Put;

/* False with error when that cannot be told. */
static bool compare_with_stored(const Put *put, bool *ret_same, GError **error)
{
    g_autoptr(GBytes) stored = NULL;
    g_autoptr(GError) failure = NULL;

    if (store_get_whole(put->next, put->key, put->len, &stored, &failure)) {
        *ret_same =
            g_bytes_get_size(stored) == put->len &&
            (put->len == 0 || memcmp(g_bytes_get_data(stored, NULL), put->data, put->len) == 0);
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
        *ret_same = false; // it is longer
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        // the next try puts it anew
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "put %s: it was there, and is gone again",
                    put->key);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool try_put(void *user, GError **error)
{
    Put *put = user;
    g_autoptr(GError) failure = NULL;
    bool again = put->again;
    bool same = false;

    put->again = true;
    if (store_put(put->next, put->key, put->data, put->len, put->if_absent, &failure))
        return true;
    if (again && g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS)) {
        if (!compare_with_stored(put, &same, error))
            return false;
        if (same)
            return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool retry_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                      GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Put put = { retry->next, key, data, len, if_absent, false };

    return retry_call(retry, g_strconcat("put ", key, NULL), try_put, &put, error);
}

static bool retry_put_stream(Store *store, const char *key, StoreRead read, void *user,
                             GError **error)
{
    return store_put_stream(((RetryStore *)store)->next, key, read, user, error);
}

/* ---- get, stat ---- */

typedef struct {
    Store *next;
    const char *key;
    uint64_t offset; /* get */
    void *buf;
    size_t len; /* get_whole: the bound */
    GBytes **ret_data;
    uint64_t *ret_size;
} Get;

static bool try_get(void *user, GError **error)
{
    Get *get = user;

    return store_get(get->next, get->key, get->offset, get->buf, get->len, error);
}

static bool retry_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                      GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Get get = { .next = retry->next, .key = key, .offset = offset, .buf = buf, .len = len };

    return retry_call(retry, g_strconcat("get ", key, NULL), try_get, &get, error);
}

static bool try_get_whole(void *user, GError **error)
{
    Get *get = user;

    return store_get_whole(get->next, get->key, get->len, get->ret_data, error);
}

static bool retry_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                            GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Get get = { .next = retry->next, .key = key, .len = bound, .ret_data = ret_data };

    return retry_call(retry, g_strconcat("get ", key, NULL), try_get_whole, &get, error);
}

static bool try_stat(void *user, GError **error)
{
    Get *get = user;

    return store_stat(get->next, get->key, get->ret_size, error);
}

static bool retry_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Get get = { .next = retry->next, .key = key, .ret_size = ret_size };

    return retry_call(retry, g_strconcat("stat ", key, NULL), try_stat, &get, error);
}

/* ---- remove ---- */

typedef struct {
    Store *next;
    const char *const *keys;
    size_t n;
} Removal;

static bool try_remove(void *user, GError **error)
{
    Removal *removal = user;

    return store_remove(removal->next, *removal->keys, error);
}

static bool retry_remove(Store *store, const char *key, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Removal removal = { retry->next, &key, 1 };

    return retry_call(retry, g_strconcat("remove ", key, NULL), try_remove, &removal, error);
}

static bool try_remove_many(void *user, GError **error)
{
    Removal *removal = user;

    return store_remove_many(removal->next, removal->keys, removal->n, error);
}

static bool remove_piece(RetryStore *retry, const char *const *keys, size_t n, GError **error)
{
    Removal removal = { retry->next, keys, n };

    if (n == 1)
        return retry_remove(&retry->base, *keys, error);
    return retry_call(retry, g_strdup_printf("remove %zu objects", n), try_remove_many, &removal,
                      error);
}

/* What an earlier try has removed is removed again, which is success. In pieces, for the more there
 * are the less likely is a try in which nothing fails. */
static bool retry_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    size_t piece = retry->next->ops->remove_many ? KEYS_A_TRY : 1;
    g_autoptr(GError) first = NULL;

    // an error does not keep the others from being tried (store/store.h)
    for (size_t at = 0; at < n; at += piece)
        (void)remove_piece(retry, keys + at, MIN(piece, n - at), first ? NULL : &first);
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

/* ---- */

static void retry_free(Store *store)
{
    RetryStore *retry = (RetryStore *)store;

    store_free(retry->next);
    g_free(retry->base.location);
    g_free(retry);
}

static const StoreOps retry_ops = {
    .name = "retry",
    .put = retry_put,
    .get = retry_get,
    .get_whole = retry_get_whole,
    .list = retry_list,
    .stat = retry_stat,
    .remove = retry_remove,
    .remove_many = retry_remove_many,
    .put_stream = retry_put_stream,
    .list_unfinished = retry_list_unfinished,
    .remove_unfinished = retry_remove_unfinished,
    .guard = retry_guard,
    .versions = retry_versions,
    .get_version = retry_get_version,
    .protect = retry_protect,
    .purge_many = retry_purge_many,
    .free = retry_free,
};

Store *retry_store_new(Store *next, const RetryPolicy *policy)
{
    RetryStore *retry = g_new0(RetryStore, 1);

    retry->base = *next;
    retry->base.ops = &retry_ops;
    retry->base.location = g_strdup(next->location);
    retry->next = next;
    retry->policy = *policy;
    return &retry->base;
}
