/* SPDX-License-Identifier: Apache-2.0 */
#include "store/copies.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/hash.h"
#include "store/local.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PIECE      (8u * 1024 * 1024)
#define LARGEST    4              /* part of the bound that one copy may take */
#define STEP       16             /* after this part of it was added the directory is looked at, */
#define SPARE      8              /* and then this part of it is made free */
#define DISK_SPARE 20             /* part of the disk that stays free for others */
#define LEFTOVER_S (24 * 60 * 60) /* no copy takes a day to write */

struct Copies {
    Store *files;
    uint64_t bytes;
    pthread_mutex_t mutex; /* what follows */
    GHashTable *used;      /* set of keys whose copies this process has made or used */
    GHashTable *refused;   /* set of keys that cannot have a copy */
    uint64_t added;        /* bytes since the directory was looked at */
    bool looked;
    bool full;      /* nothing can be added any more */
    bool distrusts; /* copies that are not in used */
};

/* ---- sets of keys ---- */

/* True: it was not in yet. */
static bool add_key(Copies *copies, GHashTable *set, const char *key)
{
    bool added;

    pthread_mutex_lock(&copies->mutex);
    added = g_hash_table_add(set, g_strdup(key));
    pthread_mutex_unlock(&copies->mutex);
    return added;
}

bool copies_id_of(const char *key, Id *ret_id)
{
    const char *slash = strrchr(key, '/');

    return slash && id_parse(slash + 1, ret_id);
}

static bool is_named_by(const char *key, const void *data, size_t len)
{
    Id want, actual;

    hash_bytes(data, len, &actual);
    return copies_id_of(key, &want) && id_equal(&actual, &want);
}

/* ---- using them ---- */

void copies_distrust(Copies *copies)
{
    pthread_mutex_lock(&copies->mutex);
    copies->distrusts = true;
    g_hash_table_remove_all(copies->used);
    pthread_mutex_unlock(&copies->mutex);
}

static bool may_use(Copies *copies, const char *key)
{
    bool may;

    pthread_mutex_lock(&copies->mutex);
    may = !copies->distrusts || g_hash_table_contains(copies->used, key);
    pthread_mutex_unlock(&copies->mutex);
    return may;
}

bool copies_has(Copies *copies, const char *key)
{
    uint64_t size;

    return may_use(copies, key) && store_stat(copies->files, key, &size, NULL);
}

/* The time of a file says when a process last began to use it. */
static void note_use(Copies *copies, const char *key)
{
    g_autofree char *path = NULL;

    if (!add_key(copies, copies->used, key))
        return;
    path = g_build_filename(copies->files->location, key, NULL);
    // with an older time it only goes a little earlier
    (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void copies_drop(Copies *copies, const char *key)
{
    g_autoptr(GError) failure = NULL;

    pthread_mutex_lock(&copies->mutex);
    g_hash_table_remove(copies->used, key);
    pthread_mutex_unlock(&copies->mutex);
    if (!store_remove(copies->files, key, &failure))
        log_debug("copy cannot be removed from the cache", "error", failure->message, NULL);
}

static void drop_unsound(Copies *copies, const char *key)
{
    log_debug("damaged copy in the cache", "key", key, NULL);
    copies_drop(copies, key);
}

bool copies_get(Copies *copies, const char *key, uint64_t offset, void *buf, size_t len)
{
    g_autoptr(GError) failure = NULL;

    if (!may_use(copies, key))
        return false;
    if (store_get(copies->files, key, offset, buf, len, &failure)) {
        note_use(copies, key);
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT))
        drop_unsound(copies, key); // it ends too early
    return false;
}

bool copies_get_whole(Copies *copies, const char *key, size_t bound, GBytes **ret_data)
{
    g_autoptr(GBytes) data = NULL;

    if (!may_use(copies, key) || !store_get_whole(copies->files, key, bound, &data, NULL))
        return false;
    if (!is_named_by(key, g_bytes_get_data(data, NULL), g_bytes_get_size(data))) {
        drop_unsound(copies, key);
        return false;
    }
    note_use(copies, key);
    *ret_data = g_steal_pointer(&data);
    return true;
}

/* False also when there is none, or the disk does not give it. */
static bool is_damaged(Copies *copies, const char *key)
{
    g_autoptr(Hash) hash = hash_new();
    g_autofree uint8_t *piece = g_malloc(PIECE);
    uint64_t size;
    Id actual, want;

    if (!copies_id_of(key, &want) || !store_stat(copies->files, key, &size, NULL))
        return false;
    for (uint64_t at = 0; at < size; at += PIECE) {
        size_t len = (size_t)MIN(PIECE, size - at);

        if (!store_get(copies->files, key, at, piece, len, NULL))
            return false;
        hash_update(hash, piece, len);
    }
    hash_final(hash, &actual);
    return !id_equal(&actual, &want);
}

bool copies_drop_damaged(Copies *copies, const char *key)
{
    if (!is_damaged(copies, key))
        return false;
    drop_unsound(copies, key);
    return true;
}

/* ---- keeping to the bound ---- */

typedef struct {
    char *key;
    uint64_t size;
    int64_t used_at; /* Unix seconds */
} Copy;

static void copy_clear(gpointer copy)
{
    g_free(((Copy *)copy)->key);
}

static bool note_copy(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    GArray *found = user;
    Copy copy = { .size = object->size, .used_at = object->modified_at };
    Id id;

    // other things may lie beside, which are not ours to remove
    if (copies_id_of(object->key, &id)) {
        copy.key = g_strdup(object->key);
        g_array_append_val(found, copy);
    }
    return true;
}

/* Of Copy; empty when the directory cannot be read. */
static GArray *find_copies(Copies *copies, const char *prefix)
{
    g_autoptr(GError) failure = NULL;
    GArray *found = g_array_new(FALSE, FALSE, sizeof(Copy));

    g_array_set_clear_func(found, copy_clear);
    if (!store_list(copies->files, prefix, note_copy, found, &failure)) {
        log_debug("cache cannot be read", "error", failure->message, NULL);
        g_array_set_size(found, 0);
    }
    return found;
}

GHashTable *copies_list(Copies *copies, const char *prefix)
{
    g_autoptr(GArray) found = find_copies(copies, prefix);
    GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < found->len; i++)
        g_hash_table_add(keys, g_steal_pointer(&g_array_index(found, Copy, i).key));
    return keys;
}

static int compare_use(const void *a, const void *b)
{
    int64_t left = ((const Copy *)a)->used_at, right = ((const Copy *)b)->used_at;

    return (left > right) - (left < right);
}

/* So that one of this size fits. */
static void trim(Copies *copies, uint64_t size)
{
    g_autoptr(GArray) found = find_copies(copies, "");
    uint64_t sum = size;

    // a crash may have left what was being written; failing to remove it costs room and no more
    (void)store_remove_unfinished(copies->files, &(StoreLeftovers){ "", LEFTOVER_S }, 1, NULL,
                                  NULL);
    for (guint i = 0; i < found->len; i++)
        sum += g_array_index(found, Copy, i).size;
    if (sum <= copies->bytes - copies->bytes / STEP)
        return;
    g_array_sort(found, compare_use);
    for (guint i = 0; i < found->len && sum > copies->bytes - copies->bytes / SPARE; i++) {
        const Copy *copy = &g_array_index(found, Copy, i);

        copies_drop(copies, copy->key);
        sum -= copy->size;
    }
}

static bool is_time_to_trim(Copies *copies, uint64_t size)
{
    bool due;

    pthread_mutex_lock(&copies->mutex);
    copies->added += size;
    due = !copies->looked || copies->added > copies->bytes / STEP;
    copies->looked = true;
    if (due)
        copies->added = 0;
    pthread_mutex_unlock(&copies->mutex);
    return due;
}

/* ---- adding ---- */

bool copies_can_add(Copies *copies, const char *key)
{
    bool can;

    pthread_mutex_lock(&copies->mutex);
    can = !copies->full && !g_hash_table_contains(copies->refused, key);
    pthread_mutex_unlock(&copies->mutex);
    return can;
}

void copies_refuse(Copies *copies, const char *key)
{
    add_key(copies, copies->refused, key);
}

static void stop_adding(Copies *copies, const char *why)
{
    log_debug("nothing more is kept in the cache", "why", why, NULL);
    pthread_mutex_lock(&copies->mutex);
    copies->full = true;
    pthread_mutex_unlock(&copies->mutex);
}

/* True when that is not known, too: writing will tell. */
static bool disk_has_room(const Copies *copies, uint64_t size)
{
    struct statvfs disk;
    uint64_t available, total;

    if (statvfs(copies->files->location, &disk) != 0)
        return true;
    available = (uint64_t)disk.f_bavail * disk.f_frsize;
    total = (uint64_t)disk.f_blocks * disk.f_frsize;
    return available >= size && available - size >= total / DISK_SPARE;
}

static bool make_room(Copies *copies, const char *key, uint64_t size)
{
    if (size > copies->bytes / LARGEST) {
        copies_refuse(copies, key);
        return false;
    }
    if (is_time_to_trim(copies, size))
        trim(copies, size);
    if (disk_has_room(copies, size))
        return true;
    stop_adding(copies, "the disk is nearly full");
    return false;
}

void copies_add(Copies *copies, const char *key, const void *data, size_t len)
{
    g_autoptr(GError) failure = NULL;

    if (!copies_can_add(copies, key))
        return;
    if (!is_named_by(key, data, len)) {
        copies_refuse(copies, key);
        return;
    }
    if (!make_room(copies, key, len))
        return;
    if (store_put(copies->files, key, data, len, false, &failure))
        add_key(copies, copies->used, key);
    else
        stop_adding(copies, failure->message);
}

typedef struct {
    StoreRead read;
    void *user;
    bool failed;
} Source;

static bool read_source(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    Source *source = user;

    source->failed = !source->read(source->user, buf, size, ret_len, error);
    return !source->failed;
}

void copies_add_stream(Copies *copies, const char *key, uint64_t size, StoreRead read, void *user)
{
    Source source = { read, user, false };
    g_autoptr(GError) failure = NULL;

    if (!copies_can_add(copies, key) || !make_room(copies, key, size))
        return;
    if (store_put_stream(copies->files, key, read_source, &source, &failure))
        add_key(copies, copies->used, key);
    else if (source.failed)
        copies_refuse(copies, key);
    else
        stop_adding(copies, failure->message);
}

/* ---- */

Copies *copies_new(const char *dir, uint64_t bytes)
{
    Copies *copies = g_new0(Copies, 1);

    copies->files = local_store_new_unsynced(dir);
    copies->bytes = bytes;
    copies->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    copies->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    pthread_mutex_init(&copies->mutex, NULL);
    return copies;
}

void copies_free(Copies *copies)
{
    if (!copies)
        return;
    store_free(copies->files);
    g_hash_table_unref(copies->used);
    g_hash_table_unref(copies->refused);
    pthread_mutex_destroy(&copies->mutex);
    g_free(copies);
}
