/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "base/error.h"

#include <string.h>

#define TEMPORARY_MARK "-tmp-"

bool store_name_is_temporary(const char *name, size_t len)
{
    const size_t mark = strlen(TEMPORARY_MARK);
    size_t end = len;

    while (end > 0 && g_ascii_isalnum(name[end - 1]))
        end--;
    return end < len && end > mark && memcmp(name + end - mark, TEMPORARY_MARK, mark) == 0;
}

static bool is_key_byte(char c)
{
    return g_ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
}

static bool is_valid_part(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_key_byte(part[i]))
            return false;
    return !store_name_is_temporary(part, len);
}

static bool are_valid_parts(const char *key, size_t len)
{
    const char *end = key + len;

    if (len > STORE_KEY_MAX)
        return false;
    for (const char *part = key;; part++) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        const char *part_end = slash ? slash : end;

        if (!is_valid_part(part, (size_t)(part_end - part)))
            return false;
        if (!slash)
            return true;
        part = slash;
    }
}

bool store_key_is_valid(const char *key)
{
    return are_valid_parts(key, strlen(key));
}

static bool check_key(const Store *store, const char *key, GError **error)
{
    if (store_key_is_valid(key))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not a key of an object: '%s'",
                store->location, key);
    return false;
}

static bool check_prefix(const Store *store, const char *prefix, GError **error)
{
    size_t len = strlen(prefix);

    if (len == 0 || (prefix[len - 1] == '/' && are_valid_parts(prefix, len - 1)))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not a prefix of keys: '%s'", store->location,
                prefix);
    return false;
}

bool store_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
               GError **error)
{
    return check_key(store, key, error) && store->ops->put(store, key, data, len, if_absent, error);
}

bool store_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
               GError **error)
{
    return check_key(store, key, error) && store->ops->get(store, key, offset, buf, len, error);
}

bool store_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data, GError **error)
{
    return check_key(store, key, error) &&
           store->ops->get_whole(store, key, bound, ret_data, error);
}

bool store_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    return check_prefix(store, prefix, error) && store->ops->list(store, prefix, each, user, error);
}

bool store_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    return check_key(store, key, error) && store->ops->stat(store, key, ret_size, error);
}

bool store_remove(Store *store, const char *key, GError **error)
{
    return check_key(store, key, error) && store->ops->remove(store, key, error);
}

bool store_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    g_autoptr(GError) first = NULL;

    for (size_t i = 0; i < n; i++)
        if (!check_key(store, keys[i], error))
            return false;
    if (store->ops->remove_many)
        return store->ops->remove_many(store, keys, n, error);
    for (size_t i = 0; i < n; i++)
        store->ops->remove(store, keys[i], first ? NULL : &first);
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

bool store_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error)
{
    return check_key(store, key, error) && store->ops->put_stream(store, key, read, user, error);
}

bool store_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                           GError **error)
{
    return check_prefix(store, prefix, error) &&
           (!store->ops->list_unfinished ||
            store->ops->list_unfinished(store, prefix, each, user, error));
}

bool store_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                             GError **error)
{
    unsigned removed = 0;

    for (size_t i = 0; i < n; i++)
        if (!check_prefix(store, places[i].prefix, error))
            return false;
    if (store->ops->remove_unfinished &&
        !store->ops->remove_unfinished(store, places, n, &removed, error))
        return false;
    if (ret_n)
        *ret_n = removed;
    return true;
}

/* ---- stores that guard what they hold ---- */

void store_guard_clear(StoreGuard *guard)
{
    g_free(guard->lock_mode);
    g_clear_pointer(&guard->rules, g_ptr_array_unref);
    g_clear_error(&guard->why);
    *guard = (StoreGuard){ 0 };
}

static void rule_free(gpointer pointer)
{
    StoreRule *rule = pointer;

    g_free(rule->name);
    g_free(rule->prefix);
    g_free(rule);
}

void store_guard_add_rule(StoreGuard *guard, StoreRuleKind kind, char *name, char *prefix,
                          unsigned days)
{
    StoreRule *rule = g_new(StoreRule, 1);

    *rule = (StoreRule){ kind, name, prefix, days };
    if (!guard->rules)
        guard->rules = g_ptr_array_new_with_free_func(rule_free);
    g_ptr_array_add(guard->rules, rule);
}

static bool unsupported(const Store *store, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: this store %s", store->location, what);
    return false;
}

bool store_guard(Store *store, StoreGuard *ret_guard, GError **error)
{
    g_auto(StoreGuard) guard = { 0 };

    if (!store->ops->guard)
        return unsupported(store, "cannot guard what it holds", error);
    if (!store->ops->guard(store, &guard, error))
        return false;
    if (!guard.rules)
        guard.rules = g_ptr_array_new();
    *ret_guard = guard;
    guard = (StoreGuard){ 0 };
    return true;
}

bool store_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                    GError **error)
{
    if (!store_key_is_valid(prefix_or_key) && !check_prefix(store, prefix_or_key, error))
        return false;
    return store->ops->versions ? store->ops->versions(store, prefix_or_key, each, user, error)
                                : unsupported(store, "keeps no older versions", error);
}

bool store_get_version(Store *store, const char *key, const char *id, size_t bound,
                       GBytes **ret_data, GError **error)
{
    if (!check_key(store, key, error))
        return false;
    return store->ops->get_version ? store->ops->get_version(store, key, id, bound, ret_data, error)
                                   : unsupported(store, "keeps no older versions", error);
}

bool store_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                   bool *ret_done, GError **error)
{
    bool done;

    if (!check_key(store, key, error))
        return false;
    if (!store->ops->protect)
        return unsupported(store, "has no object lock", error);
    if (!store->ops->protect(store, key, enough_until, until, &done, error))
        return false;
    if (ret_done)
        *ret_done = done;
    return true;
}

bool store_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                      void *user, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!check_key(store, keys[i], error))
            return false;
    return store->ops->purge_many ? store->ops->purge_many(store, keys, n, each, user, error)
                                  : store_remove_many(store, keys, n, error);
}

void store_free(Store *store)
{
    if (store)
        store->ops->free(store);
}
