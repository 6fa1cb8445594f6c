/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <string.h>

typedef struct {
    GBytes *data;
    int64_t modified_at;
} Object;

typedef struct {
    Store base;
    pthread_mutex_t mutex;
    GHashTable *objects; /* key -> Object */
} MemoryStore;

static void object_free(gpointer pointer)
{
    Object *object = pointer;

    g_bytes_unref(object->data);
    g_free(object);
}

static bool memory_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                       GError **error)
{
    MemoryStore *memory = (MemoryStore *)store;
    Object *object = g_new(Object, 1);
    bool taken;

    object->data = g_bytes_new(data, len);
    object->modified_at = clock_now().sec;
    pthread_mutex_lock(&memory->mutex);
    taken = if_absent && g_hash_table_contains(memory->objects, key);
    if (!taken)
        g_hash_table_replace(memory->objects, g_strdup(key), object);
    pthread_mutex_unlock(&memory->mutex);
    if (!taken)
        return true;
    object_free(object);
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "put %s: it exists", key);
    return false;
}

/* A new reference, or NULL with the error set. */
static GBytes *find_data(MemoryStore *memory, const char *call, const char *key, GError **error)
{
    GBytes *data = NULL;
    const Object *object;

    pthread_mutex_lock(&memory->mutex);
    object = g_hash_table_lookup(memory->objects, key);
    if (object)
        data = g_bytes_ref(object->data);
    pthread_mutex_unlock(&memory->mutex);
    if (!data)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s %s: no such object", call, key);
    return data;
}

static bool memory_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                       GError **error)
{
    g_autoptr(GBytes) data = find_data((MemoryStore *)store, "get", key, error);
    const char *bytes;
    size_t size;

    if (!data)
        return false;
    bytes = g_bytes_get_data(data, &size);
    if (offset > size || len > size - offset) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "get %s: only %zu bytes long", key, size);
        return false;
    }
    if (len > 0)
        memcpy(buf, bytes + offset, len);
    return true;
}

static bool memory_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                             GError **error)
{
    g_autoptr(GBytes) data = find_data((MemoryStore *)store, "get", key, error);

    if (!data)
        return false;
    if (g_bytes_get_size(data) > bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "get %s: larger than %zu bytes", key, bound);
        return false;
    }
    *ret_data = g_steal_pointer(&data);
    return true;
}

typedef struct {
    char *key;
    uint64_t size;
    int64_t modified_at;
} Listed;

static void listed_clear(gpointer pointer)
{
    g_free(((Listed *)pointer)->key);
}

static bool memory_list(Store *store, const char *prefix, StoreEach each, void *user,
                        GError **error)
{
    MemoryStore *memory = (MemoryStore *)store;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Listed));
    GHashTableIter iter;
    gpointer key, value;

    g_array_set_clear_func(all, listed_clear);
    // a copy, for the callback may put and remove
    pthread_mutex_lock(&memory->mutex);
    g_hash_table_iter_init(&iter, memory->objects);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const Object *object = value;

        if (g_str_has_prefix(key, prefix)) {
            Listed listed = { g_strdup(key), g_bytes_get_size(object->data), object->modified_at };

            g_array_append_val(all, listed);
        }
    }
    pthread_mutex_unlock(&memory->mutex);
    for (guint i = 0; i < all->len; i++) {
        const Listed *listed = &g_array_index(all, Listed, i);
        StoreObject object = { listed->key, listed->size, listed->modified_at };

        if (!each(&object, user, error))
            return false;
    }
    return true;
}

static bool memory_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    g_autoptr(GBytes) data = find_data((MemoryStore *)store, "stat", key, error);

    if (!data)
        return false;
    *ret_size = g_bytes_get_size(data);
    return true;
}

static bool memory_remove(Store *store, const char *key, G_GNUC_UNUSED GError **error)
{
    MemoryStore *memory = (MemoryStore *)store;

    pthread_mutex_lock(&memory->mutex);
    g_hash_table_remove(memory->objects, key);
    pthread_mutex_unlock(&memory->mutex);
    return true;
}

static bool memory_put_stream(Store *store, const char *key, StoreRead read, void *user,
                              GError **error)
{
    g_autoptr(GByteArray) all = g_byte_array_new();
    uint8_t buf[4096];
    size_t len;

    do {
        if (!read(user, buf, sizeof buf, &len, error))
            return false;
        g_byte_array_append(all, buf, (guint)len);
    } while (len > 0);
    return memory_put(store, key, all->data, all->len, false, error);
}

static void memory_free(Store *store)
{
    MemoryStore *memory = (MemoryStore *)store;

    g_hash_table_unref(memory->objects);
    pthread_mutex_destroy(&memory->mutex);
    g_free(memory->base.location);
    g_free(memory);
}

static const StoreOps memory_ops = {
    .name = "memory",
    .put = memory_put,
    .get = memory_get,
    .get_whole = memory_get_whole,
    .list = memory_list,
    .stat = memory_stat,
    .remove = memory_remove,
    .put_stream = memory_put_stream,
    .free = memory_free,
};

Store *memory_store_new(void)
{
    MemoryStore *memory = g_new0(MemoryStore, 1);

    memory->base.ops = &memory_ops;
    memory->base.location = g_strdup("memory");
    memory->base.connections = 2;
    memory->base.lists_at_once = true;
    pthread_mutex_init(&memory->mutex, NULL);
    memory->objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, object_free);
    return &memory->base;
}
