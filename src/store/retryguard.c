/* SPDX-License-Identifier: Apache-2.0 */
/* The retry store's calls to stores that guard what they hold. */
#include "store/retrying.h"

/* Like try_get of retry.c: what one try needs. */
typedef struct {
    Store *next;
    const char *key, *id;
    size_t bound;
    GBytes **ret_data;
    int64_t enough_until, until;
    bool *ret_done;
    StoreGuard *ret_guard;
} Ask;

static bool try_guard(void *user, GError **error)
{
    const Ask *ask = user;

    return store_guard(ask->next, ask->ret_guard, error);
}

bool retry_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Ask ask = { .next = retry->next, .ret_guard = ret_guard };

    return retry_call(retry, g_strdup("ask what guards the store"), try_guard, &ask, error);
}

static bool try_get_version(void *user, GError **error)
{
    const Ask *ask = user;

    return store_get_version(ask->next, ask->key, ask->id, ask->bound, ask->ret_data, error);
}

bool retry_get_version(Store *store, const char *key, const char *id, size_t bound,
                       GBytes **ret_data, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Ask ask = { .next = retry->next, .key = key, .id = id, .bound = bound, .ret_data = ret_data };

    return retry_call(retry, g_strconcat("get a version of ", key, NULL), try_get_version, &ask,
                      error);
}

static bool try_protect(void *user, GError **error)
{
    const Ask *ask = user;

    return store_protect(ask->next, ask->key, ask->enough_until, ask->until, ask->ret_done, error);
}

/* An earlier try that has arrived is found done. */
bool retry_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                   bool *ret_done, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Ask ask = { .next = retry->next,
                .key = key,
                .enough_until = enough_until,
                .until = until,
                .ret_done = ret_done };

    return retry_call(retry, g_strconcat("protect ", key, NULL), try_protect, &ask, error);
}

/* ---- listing ---- */

typedef struct {
    Store *next;
    const char *prefix_or_key;
    StoreEachVersion each;
    void *user;
    RetryTold told;
    GError *stopped; /* by each, whose errors are final whatever their code */
} Versions;

static bool tell_once(const StoreVersion *version, void *user, GError **error)
{
    Versions *versions = user;
    g_autofree char *name = g_strconcat(version->key, "\n", version->id, NULL);

    if (!retry_told_is_new(&versions->told, name) ||
        versions->each(version, versions->user, &versions->stopped))
        return true;
    g_propagate_error(error, g_error_copy(versions->stopped));
    return false;
}

static bool try_versions(void *user, GError **error)
{
    Versions *versions = user;

    retry_told_begin(&versions->told);
    return store_versions(versions->next, versions->prefix_or_key, tell_once, versions, error) ||
           versions->stopped;
}

bool retry_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                    GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Versions versions = {
        .next = retry->next, .prefix_or_key = prefix_or_key, .each = each, .user = user
    };
    bool ok;

    retry_told_init(&versions.told);
    ok = retry_call(retry, g_strconcat("list versions of ", prefix_or_key, NULL), try_versions,
                    &versions, error);
    retry_told_done(&versions.told);
    if (!ok || !versions.stopped)
        return ok;
    g_propagate_error(error, versions.stopped);
    return false;
}

/* ---- removing for good ---- */

typedef struct {
    Store *next;
    const char *const *keys;
    size_t n;
    StoreProtected each;
    void *user;
    GHashTable *told; /* set of keys */
} Purge;

static void tell_protected_once(const char *key, int64_t until, void *user)
{
    Purge *purge = user;

    if (g_hash_table_add(purge->told, g_strdup(key)))
        purge->each(key, until, purge->user);
}

static bool try_purge(void *user, GError **error)
{
    Purge *purge = user;

    return store_purge_many(purge->next, purge->keys, purge->n, tell_protected_once, purge, error);
}

bool retry_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                      void *user, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    g_autoptr(GHashTable) told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Purge purge = { retry->next, keys, n, each, user, told };

    return retry_call(retry, g_strdup_printf("remove %zu objects for good", n), try_purge, &purge,
                      error);
}
