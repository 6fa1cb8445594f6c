/* SPDX-License-Identifier: Apache-2.0 */
#include "store/localdir.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *local_full_path(const LocalStore *local, const char *key)
{
    return g_build_filename(local->base.location, key, NULL);
}

/* Everything below is opened beneath this descriptor; it lives as long as the store. */
static int open_root(LocalStore *local, GError **error)
{
    int fd;

    pthread_mutex_lock(&local->mutex);
    if (local->root < 0)
        local->root = open(local->base.location, LOCAL_OPEN_DIR | O_CLOEXEC);
    fd = local->root;
    if (fd < 0)
        bs_error_errno(error, errno, "open %s", local->base.location);
    pthread_mutex_unlock(&local->mutex);
    return fd;
}

int local_open_below(LocalStore *local, const char *key, int flags, GError **error)
{
    int root = open_root(local, error);
    int fd;

    if (root < 0)
        return -1;
    fd = fs_open_beneath(root, key, flags, 0, error);
    if (fd < 0)
        g_prefix_error(error, "%s: ", local->base.location);
    return fd;
}

bool local_sync_dir(const LocalStore *local, int fd, GError **error)
{
    return local->unsynced || fs_sync_dir_fd(fd, local->base.location, error);
}

/* mkdir -p, each new entry made durable. */
static bool make_root(const char *path, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);

    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return true;
    if (!make_root(parent, error))
        return false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        bs_error_errno(error, errno, "mkdir %s", path);
        return false;
    }
    return fs_sync_dir(parent, error);
}

bool local_is_shared_with_group(LocalStore *local)
{
    struct stat st;

    return fstatat(local->root, "config", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode & S_IRGRP;
}

static bool make_entry(LocalStore *local, int parent, const char *name, const char *dir,
                       GError **error)
{
    bool shared = local_is_shared_with_group(local);
    struct stat st;

    if (mkdirat(parent, name, 0700) != 0) {
        if (errno == EEXIST)
            return true;
        bs_error_errno(error, errno, "mkdir %s/%s", local->base.location, dir);
        return false;
    }
    if (shared && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        // with the set-group-id bit that it may have inherited; the umask has no say here. Failing
        // only means that the group has to wait for its owner.
        (void)fchmodat(parent, name, (st.st_mode & S_ISGID) | 0770, 0);
    return true;
}

static bool is_durable(LocalStore *local, const char *dir)
{
    bool durable;

    pthread_mutex_lock(&local->mutex);
    durable = g_hash_table_contains(local->durable, dir);
    pthread_mutex_unlock(&local->mutex);
    return durable;
}

static void set_durable(LocalStore *local, const char *dir)
{
    pthread_mutex_lock(&local->mutex);
    g_hash_table_add(local->durable, g_strdup(dir));
    pthread_mutex_unlock(&local->mutex);
}

/*
 * mkdir -p below the root. The parent is synced even when the directory was there: another thread
 * or process may have made it a moment ago, and an object is no more durable than the way to it.
 */
static bool make_dir(LocalStore *local, const char *dir, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(dir);
    g_autofree char *name = g_path_get_basename(dir);
    fs_autoclose int fd = -1;

    if (g_str_equal(dir, "."))
        return true;
    if (!make_dir(local, parent, error))
        return false;
    fd = local_open_below(local, parent, LOCAL_OPEN_DIR, error);
    if (fd < 0 || !make_entry(local, fd, name, dir, error) || !local_sync_dir(local, fd, error))
        return false;
    set_durable(local, dir);
    return true;
}

/* A directory that was moved away since it was opened, or that another is mounted over, would take
 * what nobody will find. A long-lived process holds it open for days. */
static bool root_is_in_place(LocalStore *local, GError **error)
{
    struct stat held, named;
    int root;

    pthread_mutex_lock(&local->mutex);
    root = local->root;
    pthread_mutex_unlock(&local->mutex);
    if (root < 0 || (fstat(root, &held) == 0 && stat(local->base.location, &named) == 0 &&
                     held.st_dev == named.st_dev && held.st_ino == named.st_ino))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                "%s is no longer the directory that was opened: it was moved or removed, or "
                "another one is mounted over it; nothing was written",
                local->base.location);
    return false;
}

int local_open_dir_for_put(LocalStore *local, const char *dir, GError **error)
{
    if (!root_is_in_place(local, error))
        return -1;
    if (is_durable(local, dir)) {
        int fd = local_open_below(local, dir, LOCAL_OPEN_DIR, NULL);

        if (fd >= 0)
            return fd;
        // somebody removed it since
    }
    if (local->create && !make_root(local->base.location, error))
        return -1;
    if (open_root(local, error) < 0 || !make_dir(local, dir, error))
        return -1;
    return local_open_below(local, dir, LOCAL_OPEN_DIR, error);
}
