/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cache.h"

#include "base/error.h"
#include "codec/hash.h"
#include "store/copies.h"

#include <pthread.h>
#include <string.h>

#define WHOLE_MAX (35u * 512 * 1024) /* fetched with one request: a pack of the usual size */
#define PIECE     (8u * 1024 * 1024)

struct Cache {
    Copies *copies;
    pthread_mutex_t fetching;
};

typedef struct {
    Store base;
    Store *next;
    Cache *cache;
    const char *const *prefixes;
} CacheStore;

/* ---- fetching ---- */

typedef struct {
    Store *next;
    const char *key;
    uint64_t size, at;
    Hash *hash;
    uint8_t *piece;
    size_t start, end; /* of what is left in it */
} Fetch;

static bool fetch_piece(Fetch *fetch, GError **error)
{
    fetch->start = 0;
    fetch->end = (size_t)MIN(PIECE, fetch->size - fetch->at);
    if (!store_get(fetch->next, fetch->key, fetch->at, fetch->piece, fetch->end, error))
        return false;
    fetch->at += fetch->end;
    hash_update(fetch->hash, fetch->piece, fetch->end);
    return true;
}

static bool check_name(const Fetch *fetch, GError **error)
{
    Id actual, want;

    hash_final(fetch->hash, &actual);
    if (copies_id_of(fetch->key, &want) && id_equal(&actual, &want))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: content does not match its name",
                fetch->key);
    return false;
}

/* StoreRead; ends well only when the hash is right. */
static bool read_pieces(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    Fetch *fetch = user;

    if (fetch->start == fetch->end && fetch->at < fetch->size && !fetch_piece(fetch, error))
        return false;
    *ret_len = MIN(size, fetch->end - fetch->start);
    memcpy(buf, fetch->piece + fetch->start, *ret_len);
    fetch->start += *ret_len;
    return *ret_len > 0 || check_name(fetch, error);
}

static bool fetch_large(Copies *copies, Store *next, const char *key, GError **error)
{
    g_autoptr(Hash) hash = hash_new();
    g_autofree uint8_t *piece = g_malloc(PIECE);
    Fetch fetch = { .next = next, .key = key, .hash = hash, .piece = piece };

    if (!store_stat(next, key, &fetch.size, error))
        return false;
    copies_add_stream(copies, key, fetch.size, read_pieces, &fetch);
    return true;
}

/* When this fails there is no copy, and whoever needs the object asks the store and learns why. */
static void fetch(Copies *copies, Store *next, const char *key)
{
    g_autoptr(GBytes) data = NULL;
    g_autoptr(GError) failure = NULL;
    size_t len;
    bool ok = store_get_whole(next, key, WHOLE_MAX, &data, &failure);

    if (ok) {
        const void *bytes = g_bytes_get_data(data, &len);

        copies_add(copies, key, bytes, len);
    } else if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
        g_clear_error(&failure);
        ok = fetch_large(copies, next, key, &failure);
    }
    if (!ok && !g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT))
        copies_refuse(copies, key);
}

/* One after the other: that bounds the memory, and the line is no faster for several. */
static void fetch_once(Cache *cache, Store *next, const char *key)
{
    pthread_mutex_lock(&cache->fetching);
    // another thread may have been done with it just before
    if (!copies_has(cache->copies, key))
        fetch(cache->copies, next, key);
    pthread_mutex_unlock(&cache->fetching);
}

/* ---- the cache ---- */

Cache *cache_new(const char *dir, uint64_t bytes)
{
    Cache *cache = g_new0(Cache, 1);

    cache->copies = copies_new(dir, bytes);
    pthread_mutex_init(&cache->fetching, NULL);
    return cache;
}

void cache_free(Cache *cache)
{
    if (!cache)
        return;
    copies_free(cache->copies);
    pthread_mutex_destroy(&cache->fetching);
    g_free(cache);
}

void cache_distrust(Cache *cache)
{
    copies_distrust(cache->copies);
}

bool cache_drop_damaged(Cache *cache, const char *key)
{
    return copies_drop_damaged(cache->copies, key);
}

/* ---- the store ---- */

static bool keeps(const CacheStore *store, const char *key)
{
    Id id;

    for (const char *const *prefix = store->prefixes; *prefix; prefix++)
        if (g_str_has_prefix(key, *prefix))
            return copies_id_of(key, &id);
    return false;
}

static bool cache_put(Store *base, const char *key, const void *data, size_t len, bool if_absent,
                      GError **error)
{
    CacheStore *store = (CacheStore *)base;

    if (!store_put(store->next, key, data, len, if_absent, error))
        return false;
    if (keeps(store, key))
        copies_add(store->cache->copies, key, data, len);
    return true;
}

static bool cache_put_stream(Store *base, const char *key, StoreRead read, void *user,
                             GError **error)
{
    return store_put_stream(((CacheStore *)base)->next, key, read, user, error);
}

static bool get_near(const CacheStore *store, const char *key, uint64_t offset, void *buf,
                     size_t len)
{
    Copies *copies = store->cache->copies;

    if (copies_get(copies, key, offset, buf, len))
        return true;
    if (!copies_can_add(copies, key))
        return false;
    fetch_once(store->cache, store->next, key);
    return copies_get(copies, key, offset, buf, len);
}

static bool cache_get(Store *base, const char *key, uint64_t offset, void *buf, size_t len,
                      GError **error)
{
    CacheStore *store = (CacheStore *)base;

    return (keeps(store, key) && get_near(store, key, offset, buf, len)) ||
           store_get(store->next, key, offset, buf, len, error);
}

static bool cache_get_whole(Store *base, const char *key, size_t bound, GBytes **ret_data,
                            GError **error)
{
    CacheStore *store = (CacheStore *)base;
    Copies *copies = store->cache->copies;
    const void *data;
    size_t len;

    if (!keeps(store, key))
        return store_get_whole(store->next, key, bound, ret_data, error);
    if (copies_get_whole(copies, key, bound, ret_data))
        return true;
    if (!store_get_whole(store->next, key, bound, ret_data, error))
        return false;
    data = g_bytes_get_data(*ret_data, &len);
    copies_add(copies, key, data, len);
    return true;
}

typedef struct {
    GHashTable *unseen; /* set of keys: copies whose objects were not told yet */
    StoreEach each;
    void *user;
} Listing;

static bool tell(const StoreObject *object, void *user, GError **error)
{
    Listing *listing = user;

    g_hash_table_remove(listing->unseen, object->key);
    return listing->each(object, listing->user, error);
}

static bool cache_list(Store *base, const char *prefix, StoreEach each, void *user, GError **error)
{
    CacheStore *store = (CacheStore *)base;
    // before the listing: what is put meanwhile is not in it
    g_autoptr(GHashTable) unseen = copies_list(store->cache->copies, prefix);
    Listing listing = { unseen, each, user };
    GHashTableIter iter;
    gpointer key;

    if (!store_list(store->next, prefix, tell, &listing, error))
        return false;
    g_hash_table_iter_init(&iter, unseen);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        copies_drop(store->cache->copies, key);
    return true;
}

static bool cache_stat(Store *base, const char *key, uint64_t *ret_size, GError **error)
{
    return store_stat(((CacheStore *)base)->next, key, ret_size, error);
}

/* Also when it failed: perhaps only the answer was lost. */
static void drop_copies(CacheStore *store, const char *const *keys, size_t n)
{
    Id id;

    for (size_t i = 0; i < n; i++)
        if (copies_id_of(keys[i], &id))
            copies_drop(store->cache->copies, keys[i]);
}

static bool cache_remove(Store *base, const char *key, GError **error)
{
    CacheStore *store = (CacheStore *)base;
    bool removed = store_remove(store->next, key, error);

    drop_copies(store, &key, 1);
    return removed;
}

static bool cache_remove_many(Store *base, const char *const *keys, size_t n, GError **error)
{
    CacheStore *store = (CacheStore *)base;
    bool removed = store_remove_many(store->next, keys, n, error);

    drop_copies(store, keys, n);
    return removed;
}

static bool cache_list_unfinished(Store *base, const char *prefix, StoreEach each, void *user,
                                  GError **error)
{
    return store_list_unfinished(((CacheStore *)base)->next, prefix, each, user, error);
}

static bool cache_remove_unfinished(Store *base, const StoreLeftovers *places, size_t n,
                                    unsigned *ret_n, GError **error)
{
    return store_remove_unfinished(((CacheStore *)base)->next, places, n, ret_n, error);
}

/* ---- what next guards ---- */

static bool cache_guard(Store *base, StoreGuard *ret_guard, GError **error)
{
    return store_guard(((CacheStore *)base)->next, ret_guard, error);
}

static bool cache_versions(Store *base, const char *prefix_or_key, StoreEachVersion each,
                           void *user, GError **error)
{
    return store_versions(((CacheStore *)base)->next, prefix_or_key, each, user, error);
}

static bool cache_get_version(Store *base, const char *key, const char *id, size_t bound,
                              GBytes **ret_data, GError **error)
{
    return store_get_version(((CacheStore *)base)->next, key, id, bound, ret_data, error);
}

static bool cache_protect(Store *base, const char *key, int64_t enough_until, int64_t until,
                          bool *ret_done, GError **error)
{
    return store_protect(((CacheStore *)base)->next, key, enough_until, until, ret_done, error);
}

static bool cache_purge_many(Store *base, const char *const *keys, size_t n, StoreProtected each,
                             void *user, GError **error)
{
    CacheStore *store = (CacheStore *)base;
    bool removed = store_purge_many(store->next, keys, n, each, user, error);

    drop_copies(store, keys, n);
    return removed;
}

static void cache_store_free(Store *base)
{
    g_free(base->location);
    g_free(base);
}

static const StoreOps cache_ops = {
    .name = "cache",
    .put = cache_put,
    .get = cache_get,
    .get_whole = cache_get_whole,
    .list = cache_list,
    .stat = cache_stat,
    .remove = cache_remove,
    .remove_many = cache_remove_many,
    .put_stream = cache_put_stream,
    .list_unfinished = cache_list_unfinished,
    .remove_unfinished = cache_remove_unfinished,
    .guard = cache_guard,
    .versions = cache_versions,
    .get_version = cache_get_version,
    .protect = cache_protect,
    .purge_many = cache_purge_many,
    .free = cache_store_free,
};

Store *cache_store_new(Store *next, Cache *cache, const char *const *prefixes)
{
    CacheStore *store = g_new0(CacheStore, 1);

    store->base = *next;
    store->base.ops = &cache_ops;
    store->base.location = g_strdup(next->location);
    store->next = next;
    store->cache = cache;
    store->prefixes = prefixes;
    return &store->base;
}
