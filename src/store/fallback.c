/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fallback.h"

#include "base/error.h"

#include <pthread.h>

typedef struct {
    Store *store; /* NULL: cannot be had, once opened */
    bool opened, told;
} Other;

typedef struct {
    Store base;
    Store *first;
    FallbackOptions options;
    pthread_mutex_t mutex;
    Other *others; /* this and the rest: under the mutex */
    size_t n;
    bool away; /* the first one is not asked any more, unless nobody else can help */
} FallbackStore;

/* One way of reading, and what it needs. */
typedef struct {
    bool begun; /* something of it was told already: no other store may be asked */
} Call;
typedef bool (*Reading)(Store *store, Call *call, GError **error);

static Store *other_at(FallbackStore *fallback, size_t i)
{
    Other *other = &fallback->others[i];
    Store *store;

    pthread_mutex_lock(&fallback->mutex);
    if (!other->opened)
        other->store = fallback->options.open(i, fallback->options.user);
    other->opened = true;
    store = other->store;
    pthread_mutex_unlock(&fallback->mutex);
    return store;
}

static bool is_away(FallbackStore *fallback)
{
    bool away;

    pthread_mutex_lock(&fallback->mutex);
    away = fallback->away;
    pthread_mutex_unlock(&fallback->mutex);
    return away;
}

static void set_away(FallbackStore *fallback)
{
    pthread_mutex_lock(&fallback->mutex);
    fallback->away = true;
    pthread_mutex_unlock(&fallback->mutex);
}

static void tell(FallbackStore *fallback, size_t i, const GError *why)
{
    bool first;

    pthread_mutex_lock(&fallback->mutex);
    first = !fallback->others[i].told;
    fallback->others[i].told = true;
    pthread_mutex_unlock(&fallback->mutex);
    if (first)
        fallback->options.used(i, why, fallback->options.user);
}

static bool concerns_object(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT);
}

static bool is_final(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_USAGE) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED);
}

/* broken: set when one of them had begun and then failed, which ends it. */
static bool read_others(FallbackStore *fallback, Reading read, Call *call, const GError *why,
                        GError **broken)
{
    for (size_t i = 0; i < fallback->n && !call->begun; i++) {
        Store *other = other_at(fallback, i);
        g_autoptr(GError) problem = NULL;

        if (other && read(other, call, &problem)) {
            tell(fallback, i, why);
            return true;
        }
        if (call->begun)
            g_propagate_error(broken, g_steal_pointer(&problem));
    }
    return false;
}

static bool read_any(FallbackStore *fallback, const char *key, Reading read, Call *call,
                     GError **error)
{
    MirrorKind kind = fallback->options.kind(key);
    g_autoptr(GError) failure = NULL, broken = NULL;

    if (kind == MIRROR_LOCK || kind == MIRROR_OWN || fallback->n == 0)
        return read(fallback->first, call, error);
    if (is_away(fallback) && read_others(fallback, read, call, NULL, &broken))
        return true;
    if (!call->begun && read(fallback->first, call, &failure))
        return true;
    if (!call->begun && !is_final(failure) && read_others(fallback, read, call, failure, &broken)) {
        // an object that is lacking says nothing of the others
        if (!concerns_object(failure))
            set_away(fallback);
        return true;
    }
    g_propagate_error(error, broken ? g_steal_pointer(&broken) : g_steal_pointer(&failure));
    return false;
}

/* ---- the ways of reading ---- */

typedef struct {
    Call call;
    const char *key;
    uint64_t offset;
    void *buf;
    size_t len; /* or bound */
    GBytes **ret_data;
    uint64_t *ret_size;
} Get;

static bool read_range(Store *store, Call *call, GError **error)
{
    const Get *get = (const Get *)call;

    return store_get(store, get->key, get->offset, get->buf, get->len, error);
}

static bool read_whole(Store *store, Call *call, GError **error)
{
    const Get *get = (const Get *)call;

    return store_get_whole(store, get->key, get->len, get->ret_data, error);
}

static bool read_size(Store *store, Call *call, GError **error)
{
    const Get *get = (const Get *)call;

    return store_stat(store, get->key, get->ret_size, error);
}

static bool fallback_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                         GError **error)
{
    Get get = { .key = key, .offset = offset, .buf = buf, .len = len };

    return read_any((FallbackStore *)store, key, read_range, &get.call, error);
}

static bool fallback_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                               GError **error)
{
    Get get = { .key = key, .len = bound, .ret_data = ret_data };

    return read_any((FallbackStore *)store, key, read_whole, &get.call, error);
}

static bool fallback_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    Get get = { .key = key, .ret_size = ret_size };

    return read_any((FallbackStore *)store, key, read_size, &get.call, error);
}

typedef struct {
    Call call;
    const char *prefix;
    StoreEach each;
    void *user;
    GError *stop; /* what each said */
} List;

static bool each_noted(const StoreObject *object, void *user, GError **error)
{
    List *list = user;

    list->call.begun = true;
    if (list->each(object, list->user, &list->stop))
        return true;
    if (list->stop)
        g_propagate_error(error, g_error_copy(list->stop));
    return false;
}

static bool read_list(Store *store, Call *call, GError **error)
{
    List *list = (List *)call;

    return store_list(store, list->prefix, each_noted, list, error);
}

/* Two halves of two listings are none: what has begun is not begun again elsewhere. */
static bool fallback_list(Store *store, const char *prefix, StoreEach each, void *user,
                          GError **error)
{
    List list = { { false }, prefix, each, user, NULL };
    g_autoptr(GError) failure = NULL;

    if (read_any((FallbackStore *)store, prefix, read_list, &list.call, &failure))
        return true;
    g_propagate_error(error, list.stop ? list.stop : g_steal_pointer(&failure));
    return false;
}

/* ---- the first store alone ---- */

static bool fallback_put(Store *store, const char *key, const void *data, size_t len,
                         bool if_absent, GError **error)
{
    return store_put(((FallbackStore *)store)->first, key, data, len, if_absent, error);
}

static bool fallback_put_stream(Store *store, const char *key, StoreRead read, void *user,
                                GError **error)
{
    return store_put_stream(((FallbackStore *)store)->first, key, read, user, error);
}

static bool fallback_remove(Store *store, const char *key, GError **error)
{
    return store_remove(((FallbackStore *)store)->first, key, error);
}

static bool fallback_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    return store_remove_many(((FallbackStore *)store)->first, keys, n, error);
}

static bool fallback_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                                     GError **error)
{
    return store_list_unfinished(((FallbackStore *)store)->first, prefix, each, user, error);
}

static bool fallback_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n,
                                       unsigned *ret_n, GError **error)
{
    return store_remove_unfinished(((FallbackStore *)store)->first, places, n, ret_n, error);
}

static bool fallback_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    return store_guard(((FallbackStore *)store)->first, ret_guard, error);
}

static bool fallback_versions(Store *store, const char *prefix_or_key, StoreEachVersion each,
                              void *user, GError **error)
{
    return store_versions(((FallbackStore *)store)->first, prefix_or_key, each, user, error);
}

static bool fallback_get_version(Store *store, const char *key, const char *id, size_t bound,
                                 GBytes **ret_data, GError **error)
{
    return store_get_version(((FallbackStore *)store)->first, key, id, bound, ret_data, error);
}

static bool fallback_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                             bool *ret_done, GError **error)
{
    return store_protect(((FallbackStore *)store)->first, key, enough_until, until, ret_done,
                         error);
}

static bool fallback_purge_many(Store *store, const char *const *keys, size_t n,
                                StoreProtected each, void *user, GError **error)
{
    return store_purge_many(((FallbackStore *)store)->first, keys, n, each, user, error);
}

static void fallback_free(Store *store)
{
    FallbackStore *fallback = (FallbackStore *)store;

    pthread_mutex_destroy(&fallback->mutex);
    g_free(fallback->others);
    g_free(fallback->base.location);
    g_free(fallback);
}

static const StoreOps fallback_ops = {
    .name = "fallback",
    .put = fallback_put,
    .get = fallback_get,
    .get_whole = fallback_get_whole,
    .list = fallback_list,
    .stat = fallback_stat,
    .remove = fallback_remove,
    .remove_many = fallback_remove_many,
    .put_stream = fallback_put_stream,
    .list_unfinished = fallback_list_unfinished,
    .remove_unfinished = fallback_remove_unfinished,
    .guard = fallback_guard,
    .versions = fallback_versions,
    .get_version = fallback_get_version,
    .protect = fallback_protect,
    .purge_many = fallback_purge_many,
    .free = fallback_free,
};

Store *fallback_store_new(Store *first, const FallbackOptions *options)
{
    FallbackStore *fallback = g_new0(FallbackStore, 1);

    fallback->base = *first;
    fallback->base.ops = &fallback_ops;
    fallback->base.location = g_strdup(first->location);
    fallback->first = first;
    fallback->options = *options;
    pthread_mutex_init(&fallback->mutex, NULL);
    return &fallback->base;
}

void fallback_store_set(Store *store, size_t n)
{
    FallbackStore *fallback = (FallbackStore *)store;

    g_free(fallback->others);
    fallback->others = g_new0(Other, n + 1);
    fallback->n = n;
}
