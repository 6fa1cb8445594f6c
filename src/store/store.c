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

bool store_remove_unfinished(Store *store, const char *prefix, int64_t age_s, unsigned *ret_n,
                             GError **error)
{
    unsigned n = 0;

    if (!check_prefix(store, prefix, error) ||
        (store->ops->remove_unfinished &&
         !store->ops->remove_unfinished(store, prefix, age_s, &n, error)))
        return false;
    if (ret_n)
        *ret_n = n;
    return true;
}

void store_free(Store *store)
{
    if (store)
        store->ops->free(store);
}
