/* SPDX-License-Identifier: Apache-2.0 */
#include "store/local.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "store/localdir.h"
#include "store/localwalk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define STREAM_STEP (256u * 1024) /* bytes read before they are written */

/* ---- objects ---- */

typedef struct {
    const char *path;
    const void *data; /* the object, or NULL: */
    size_t len;
    StoreRead read;
    void *user;
} Content;

static bool fill_object(int fd, void *user, GError **error)
{
    const Content *content = user;
    g_autofree void *buf = NULL;
    size_t len;

    if (!content->read)
        return fs_write_all(fd, content->data, content->len, content->path, error);
    buf = g_malloc(STREAM_STEP);
    do {
        if (!content->read(content->user, buf, STREAM_STEP, &len, error) ||
            !fs_write_all(fd, buf, len, content->path, error))
            return false;
    } while (len > 0);
    return true;
}

static bool put_content(LocalStore *local, const char *key, Content *content, FsWrite how,
                        GError **error)
{
    g_autofree char *dir = g_path_get_dirname(key);
    g_autofree char *name = g_path_get_basename(key);
    g_autofree char *path = local_full_path(local, key);
    fs_autoclose int fd = local_open_dir_for_put(local, dir, error);
    mode_t mode;

    if (fd < 0)
        return false;
    mode = local_is_shared_with_group(local) ? 0440 : 0400;
    content->path = path;
    return fs_fill_durable_at(fd, name, path, fill_object, content, mode,
                              local->unsynced && how == FS_REPLACE ? FS_UNSYNCED : how, error);
}

static bool local_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                      GError **error)
{
    Content content = { .data = data, .len = len };

    return put_content((LocalStore *)store, key, &content, if_absent ? FS_IF_ABSENT : FS_REPLACE,
                       error);
}

static bool local_put_stream(Store *store, const char *key, StoreRead read, void *user,
                             GError **error)
{
    Content content = { .read = read, .user = user };

    return put_content((LocalStore *)store, key, &content, FS_REPLACE, error);
}

static bool local_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                      GError **error)
{
    LocalStore *local = (LocalStore *)store;
    fs_autoclose int fd = local_open_below(local, key, LOCAL_OPEN_OBJECT, error);
    size_t got;

    if (fd < 0 || !fs_pread_full(fd, buf, len, offset, &got, key, error))
        return false;
    if (got == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s/%s: ends before byte %" G_GUINT64_FORMAT,
                store->location, key, offset + len);
    return false;
}

static bool local_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                            GError **error)
{
    LocalStore *local = (LocalStore *)store;
    fs_autoclose int fd = local_open_below(local, key, LOCAL_OPEN_OBJECT, error);
    g_autofree char *path = local_full_path(local, key);
    g_autofree uint8_t *buf = NULL;
    struct stat st;
    size_t len;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "stat %s", path);
        return false;
    }
    if ((uint64_t)st.st_size > bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: larger than %zu bytes", path, bound);
        return false;
    }
    buf = g_try_malloc((size_t)st.st_size + 1); // never NULL for an empty object
    if (!buf) {
        bs_error_errno(error, ENOMEM, "read %s", path);
        return false;
    }
    if (!fs_pread_full(fd, buf, (size_t)st.st_size, 0, &len, path, error))
        return false;
    *ret_data = g_bytes_new_take(g_steal_pointer(&buf), len);
    return true;
}

static bool local_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    LocalStore *local = (LocalStore *)store;
    fs_autoclose int fd = local_open_below(local, key, O_PATH, error);
    struct stat st;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s/%s: not a regular file",
                    store->location, key);
        return false;
    }
    *ret_size = (uint64_t)st.st_size;
    return true;
}

static bool local_remove(Store *store, const char *key, GError **error)
{
    LocalStore *local = (LocalStore *)store;
    g_autofree char *dir = g_path_get_dirname(key);
    g_autofree char *name = g_path_get_basename(key);
    g_autoptr(GError) failure = NULL;
    fs_autoclose int fd = local_open_below(local, dir, LOCAL_OPEN_DIR, &failure);

    if (fd < 0) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    // a directory of that name is no object
    if (unlinkat(fd, name, 0) != 0 && errno != ENOENT && errno != EISDIR) {
        bs_error_errno(error, errno, "remove %s/%s", store->location, key);
        return false;
    }
    return local_sync_dir(local, fd, error);
}

/* ---- listing ---- */

/* A directory that is missing is an empty one. */
static bool walk_prefix(const LocalWalk *walk, LocalStore *local, const char *prefix,
                        GError **error)
{
    g_autoptr(GError) failure = NULL;
    int fd = local_open_below(local, *prefix ? prefix : ".", LOCAL_OPEN_DIR, &failure);

    if (fd >= 0)
        return localwalk(walk, fd, prefix, error);
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

typedef struct {
    StoreEach each;
    void *user;
} ListCall;

static bool list_visit(G_GNUC_UNUSED int dirfd, G_GNUC_UNUSED const char *name,
                       const StoreObject *object, void *user, GError **error)
{
    const ListCall *call = user;

    return call->each(object, call->user, error);
}

static bool local_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    LocalStore *local = (LocalStore *)store;
    ListCall call = { each, user };
    LocalWalk walk = { .location = local->base.location, .visit = list_visit, .user = &call };

    return walk_prefix(&walk, local, prefix, error);
}

/* ---- leftovers ---- */

static bool unfinished_visit(G_GNUC_UNUSED int dirfd, G_GNUC_UNUSED const char *name,
                             const StoreObject *object, void *user, GError **error)
{
    const ListCall *call = user;
    g_autofree char *key = g_strdup(object->key);
    StoreObject unfinished = *object;

    *strrchr(key, '-') = '\0'; // the random part of "-tmp-<random>"
    *strrchr(key, '-') = '\0';
    unfinished.key = key;
    return call->each(&unfinished, call->user, error);
}

static bool local_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                                  GError **error)
{
    LocalStore *local = (LocalStore *)store;
    ListCall call = { each, user };
    LocalWalk walk = { .location = local->base.location,
                       .leftovers = true,
                       .visit = unfinished_visit,
                       .user = &call };

    return walk_prefix(&walk, local, prefix, error);
}

typedef struct {
    int64_t before; /* Unix seconds */
    unsigned n;
} Cleaning;

static bool clean_visit(int dirfd, const char *name, const StoreObject *object, void *user,
                        GError **error)
{
    Cleaning *cleaning = user;

    if (object->modified_at > cleaning->before)
        return true;
    if (unlinkat(dirfd, name, 0) == 0) {
        cleaning->n++;
        return true;
    }
    if (errno == ENOENT)
        return true;
    bs_error_errno(error, errno, "remove %s", object->key);
    return false;
}

static bool local_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n,
                                    unsigned *ret_n, GError **error)
{
    LocalStore *local = (LocalStore *)store;
    Cleaning cleaning = { .n = 0 };
    LocalWalk walk = {
        .location = local->base.location, .leftovers = true, .visit = clean_visit, .user = &cleaning
    };

    for (size_t i = 0; i < n; i++) {
        cleaning.before = clock_now().sec - places[i].age_s;
        if (!walk_prefix(&walk, local, places[i].prefix, error))
            return false;
    }
    *ret_n = cleaning.n;
    return true;
}

/* ---- */

static void local_free(Store *store)
{
    LocalStore *local = (LocalStore *)store;

    fs_clear_fd(&local->root);
    g_hash_table_unref(local->durable);
    pthread_mutex_destroy(&local->mutex);
    g_free(local->base.location);
    g_free(local);
}

static const StoreOps local_ops = {
    .name = "local",
    .put = local_put,
    .get = local_get,
    .get_whole = local_get_whole,
    .list = local_list,
    .stat = local_stat,
    .remove = local_remove,
    .put_stream = local_put_stream,
    .list_unfinished = local_list_unfinished,
    .remove_unfinished = local_remove_unfinished,
    .free = local_free,
};

Store *local_store_new(const char *path, bool create)
{
    LocalStore *local = g_new0(LocalStore, 1);

    local->base.ops = &local_ops;
    local->base.location = g_strdup(path);
    local->base.connections = 2;
    local->base.lists_at_once = true;
    local->create = create;
    local->root = -1;
    pthread_mutex_init(&local->mutex, NULL);
    local->durable = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return &local->base;
}

Store *local_store_new_unsynced(const char *path)
{
    Store *store = local_store_new(path, true);

    ((LocalStore *)store)->unsynced = true;
    return store;
}
