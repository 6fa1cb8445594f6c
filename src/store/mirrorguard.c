/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first store of a mirror guards (store/mirror.h). Copies guard what they hold themselves,
 * or do not: what is asked is asked of the first one, what is done is done wherever it can be.
 */
#include "base/error.h"
#include "store/mirroring.h"

#include <string.h>

bool mirror_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    return store_guard(((MirrorStore *)store)->first, ret_guard, error);
}

bool mirror_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                     GError **error)
{
    return store_versions(((MirrorStore *)store)->first, prefix_or_key, each, user, error);
}

bool mirror_get_version(Store *store, const char *key, const char *id, size_t bound,
                        GBytes **ret_data, GError **error)
{
    return store_get_version(((MirrorStore *)store)->first, key, id, bound, ret_data, error);
}

/* A copy that has no such thing is no failure, nor is one that lacks the object. */
static bool protect_copy(Copy *copy, const char *key, int64_t enough_until, int64_t until,
                         GError **error)
{
    GError *failure = NULL;

    if (copy_takes(copy) == MIRROR_TAKES_NOTHING ||
        store_protect(copy->store, key, enough_until, until, NULL, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_error_free(failure);
        return true;
    }
    return copy_may_fail(copy, failure, error);
}

bool mirror_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                    bool *ret_done, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    bool is_own = mirror->options.kind(key) == MIRROR_OWN;

    if (!store_protect(mirror->first, key, enough_until, until, ret_done, error))
        return false;
    for (size_t i = 0; i < mirror->copies->len && !is_own; i++)
        if (!protect_copy(copy_at(mirror, i), key, enough_until, until, error))
            return false;
    return true;
}

typedef struct {
    StoreProtected each;
    void *user;
    GHashTable *kept; /* set of keys */
} Purge;

static void note_kept(const char *key, int64_t until, void *user)
{
    Purge *purge = user;

    g_hash_table_add(purge->kept, g_strdup(key));
    purge->each(key, until, purge->user);
}

/* What the first one keeps stays at the copies, too: they go on looking like it. */
bool mirror_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                       void *user, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    g_autoptr(GHashTable) kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree const char **gone = g_new(const char *, n + 1);
    Purge purge = { each, user, kept };
    size_t n_gone = 0;

    if (!store_purge_many(mirror->first, keys, n, note_kept, &purge, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!g_hash_table_contains(kept, keys[i]))
            gone[n_gone++] = keys[i];
    return mirror_remove_from_copies(mirror, gone, n_gone, error);
}
