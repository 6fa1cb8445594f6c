/* SPDX-License-Identifier: Apache-2.0 */
#include "store/limit.h"

#include "base/clock.h"

#include <pthread.h>

/* Of S3, the one driver that lists and removes by requests: ListObjectsV2 gives and DeleteObjects
 * takes up to this many keys. */
#define KEYS_A_REQUEST 1000u

/* Something that may be used at a rate. */
typedef struct {
    double a_ms;    /* how much in a millisecond; 0: any amount */
    double free_ms; /* when what was used so far is paid for; under the mutex */
} Meter;

typedef struct {
    Store base;
    Store *next;
    const Cancel *cancel;
    pthread_mutex_t mutex;
    Meter up, down, requests;
} LimitStore;

/* Notes a use, and tells when it may begin. */
static int64_t use(LimitStore *limit, Meter *meter, uint64_t amount, int64_t now_ms)
{
    double start_ms;

    pthread_mutex_lock(&limit->mutex);
    start_ms = MAX(meter->free_ms, (double)now_ms);
    meter->free_ms = start_ms + (double)amount / meter->a_ms;
    pthread_mutex_unlock(&limit->mutex);
    return (int64_t)start_ms;
}

static bool wait_for(LimitStore *limit, Meter *meter, uint64_t amount, GError **error)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t start_ms = meter->a_ms > 0 ? use(limit, meter, amount, now_ms) : now_ms;

    return start_ms <= now_ms || cancel_is_set(limit->cancel) ||
           cancel_sleep(limit->cancel, start_ms - now_ms, error);
}

static bool wait_for_request(LimitStore *limit, GError **error)
{
    return wait_for(limit, &limit->requests, 1, error);
}

static bool begin(LimitStore *limit, Meter *meter, uint64_t len, GError **error)
{
    return wait_for_request(limit, error) && wait_for(limit, meter, len, error);
}

/* ---- */

static bool limit_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                      GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return begin(limit, &limit->up, len, error) &&
           store_put(limit->next, key, data, len, if_absent, error);
}

typedef struct {
    LimitStore *limit;
    StoreRead read;
    void *user;
} Stream;

static bool read_slowly(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    Stream *stream = user;

    return stream->read(stream->user, buf, size, ret_len, error) &&
           (*ret_len == 0 || wait_for(stream->limit, &stream->limit->up, *ret_len, error));
}

static bool limit_put_stream(Store *store, const char *key, StoreRead read, void *user,
                             GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    Stream stream = { limit, read, user };

    return wait_for_request(limit, error) &&
           store_put_stream(limit->next, key, read_slowly, &stream, error);
}

static bool limit_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                      GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return begin(limit, &limit->down, len, error) &&
           store_get(limit->next, key, offset, buf, len, error);
}

/* How much came is known too late to wait for it: the next one does. */
static void note_down(LimitStore *limit, GBytes *data)
{
    if (limit->down.a_ms > 0)
        (void)use(limit, &limit->down, g_bytes_get_size(data), clock_monotonic_ms());
}

static bool limit_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                            GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    GBytes *data;

    // nothing more, only those before
    if (!begin(limit, &limit->down, 0, error) ||
        !store_get_whole(limit->next, key, bound, &data, error))
        return false;
    note_down(limit, data);
    *ret_data = data;
    return true;
}

typedef struct {
    LimitStore *limit;
    StoreEach each;
    void *user;
    unsigned n;
} Listing;

static bool tell_by_pages(const StoreObject *object, void *user, GError **error)
{
    Listing *listing = user;

    return (++listing->n % KEYS_A_REQUEST > 0 || wait_for_request(listing->limit, error)) &&
           listing->each(object, listing->user, error);
}

static bool limit_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    Listing listing = { limit, each, user, 0 };

    return wait_for_request(limit, error) &&
           store_list(limit->next, prefix, tell_by_pages, &listing, error);
}

static bool limit_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) && store_stat(limit->next, key, ret_size, error);
}

static bool limit_remove(Store *store, const char *key, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) && store_remove(limit->next, key, error);
}

/* In pieces, so that they can wait for each other. */
static bool limit_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    size_t piece = limit->next->ops->remove_many ? KEYS_A_REQUEST : 1;
    g_autoptr(GError) first = NULL;

    for (size_t at = 0; at < n; at += piece) {
        if (!wait_for_request(limit, error))
            return false;
        // the others are tried all the same (store/store.h)
        (void)store_remove_many(limit->next, keys + at, MIN(piece, n - at), first ? NULL : &first);
    }
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

static bool limit_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                                  GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) &&
           store_list_unfinished(limit->next, prefix, each, user, error);
}

static bool limit_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n,
                                    unsigned *ret_n, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) &&
           store_remove_unfinished(limit->next, places, n, ret_n, error);
}

static bool limit_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) && store_guard(limit->next, ret_guard, error);
}

typedef struct {
    LimitStore *limit;
    StoreEachVersion each;
    void *user;
    unsigned n;
} Versions;

static bool tell_versions_by_pages(const StoreVersion *version, void *user, GError **error)
{
    Versions *versions = user;

    return (++versions->n % KEYS_A_REQUEST > 0 || wait_for_request(versions->limit, error)) &&
           versions->each(version, versions->user, error);
}

static bool limit_versions(Store *store, const char *prefix_or_key, StoreEachVersion each,
                           void *user, GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    Versions versions = { limit, each, user, 0 };

    return wait_for_request(limit, error) &&
           store_versions(limit->next, prefix_or_key, tell_versions_by_pages, &versions, error);
}

static bool limit_get_version(Store *store, const char *key, const char *id, size_t bound,
                              GBytes **ret_data, GError **error)
{
    LimitStore *limit = (LimitStore *)store;
    GBytes *data;

    if (!begin(limit, &limit->down, 0, error) ||
        !store_get_version(limit->next, key, id, bound, &data, error))
        return false;
    note_down(limit, data);
    *ret_data = data;
    return true;
}

static bool limit_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                          bool *ret_done, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) &&
           store_protect(limit->next, key, enough_until, until, ret_done, error);
}

static bool limit_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                             void *user, GError **error)
{
    LimitStore *limit = (LimitStore *)store;

    return wait_for_request(limit, error) &&
           store_purge_many(limit->next, keys, n, each, user, error);
}

static void limit_free(Store *store)
{
    LimitStore *limit = (LimitStore *)store;

    store_free(limit->next);
    pthread_mutex_destroy(&limit->mutex);
    g_free(limit->base.location);
    g_free(limit);
}

static const StoreOps limit_ops = {
    .name = "limit",
    .put = limit_put,
    .get = limit_get,
    .get_whole = limit_get_whole,
    .list = limit_list,
    .stat = limit_stat,
    .remove = limit_remove,
    .remove_many = limit_remove_many,
    .put_stream = limit_put_stream,
    .list_unfinished = limit_list_unfinished,
    .remove_unfinished = limit_remove_unfinished,
    .guard = limit_guard,
    .versions = limit_versions,
    .get_version = limit_get_version,
    .protect = limit_protect,
    .purge_many = limit_purge_many,
    .free = limit_free,
};

Store *limit_store_new(Store *next, const Limits *limits)
{
    LimitStore *limit = g_new0(LimitStore, 1);

    limit->base = *next;
    limit->base.ops = &limit_ops;
    limit->base.location = g_strdup(next->location);
    limit->next = next;
    limit->cancel = limits->cancel;
    limit->up.a_ms = (double)limits->up / 1000;
    limit->down.a_ms = (double)limits->down / 1000;
    limit->requests.a_ms = (double)limits->requests / 1000;
    pthread_mutex_init(&limit->mutex, NULL);
    return &limit->base;
}
