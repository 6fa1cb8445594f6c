/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "store/mirroring.h"

bool mirror_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                GError **error)
{
    return store_get(((MirrorStore *)store)->first, key, offset, buf, len, error);
}

/* A lock may be that of somebody who works on a copy alone. */
static bool get_lock(MirrorStore *mirror, const char *key, size_t bound, GBytes **ret_data,
                     GError **error)
{
    g_autoptr(GError) absent = NULL;

    if (store_get_whole(mirror->first, key, bound, ret_data, &absent))
        return true;
    for (size_t i = 0;
         i < mirror->copies->len && g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND); i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (copy_takes(copy) == MIRROR_TAKES_NOTHING)
            continue;
        if (store_get_whole(copy->store, key, bound, ret_data, &failure))
            return true;
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
            g_clear_error(&absent);
            absent = failure;
        } else if (!copy_may_fail(copy, failure, error))
            return false;
    }
    g_propagate_error(error, g_steal_pointer(&absent));
    return false;
}

bool mirror_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                      GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;

    return mirror->options.kind(key) == MIRROR_LOCK
               ? get_lock(mirror, key, bound, ret_data, error)
               : store_get_whole(mirror->first, key, bound, ret_data, error);
}

/* Our lock holds where it lies. Somebody who took it away from an eventual copy works on that one,
 * and we no longer do. */
static bool stat_lock(MirrorStore *mirror, const char *key, uint64_t *ret_size, GError **error)
{
    uint64_t size, ignored;

    if (!store_stat(mirror->first, key, &size, error))
        return false;
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (copy_takes(copy) > MIRROR_TAKES_NOTHING &&
            !store_stat(copy->store, key, &ignored, &failure)) {
            g_prefix_error(&failure, "our lock there: ");
            if (!copy_may_fail(copy, failure, error))
                return false;
        }
    }
    *ret_size = size;
    return true;
}

bool mirror_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;

    return mirror->options.kind(key) == MIRROR_LOCK
               ? stat_lock(mirror, key, ret_size, error)
               : store_stat(mirror->first, key, ret_size, error);
}

typedef struct {
    StoreEach each;
    void *user;
    GHashTable *seen; /* keys */
    bool stopped;     /* by each */
} Union;

static bool each_once(const StoreObject *object, void *user, GError **error)
{
    Union *all = user;

    if (!g_hash_table_add(all->seen, g_strdup(object->key)))
        return true;
    all->stopped = !all->each(object, all->user, error);
    return !all->stopped;
}

static bool list_locks(MirrorStore *mirror, const char *prefix, Union *all, GError **error)
{
    if (!store_list(mirror->first, prefix, each_once, all, error))
        return false;
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (copy_takes(copy) == MIRROR_TAKES_NOTHING ||
            store_list(copy->store, prefix, each_once, all, &failure))
            continue;
        if (all->stopped) {
            g_propagate_error(error, failure);
            return false;
        }
        if (!copy_may_fail(copy, failure, error))
            return false;
    }
    return true;
}

bool mirror_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Union all = { each, user, seen, false };

    return mirror->options.kind(prefix) == MIRROR_LOCK
               ? list_locks(mirror, prefix, &all, error)
               : store_list(mirror->first, prefix, each, user, error);
}
