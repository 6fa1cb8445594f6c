/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/targetdir.h"
#include "base/error.h"
#include "base/fs.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* Well below the usual limit of 1024 descriptors, and deep enough that a way up or down reopens
 * rarely. */
#define OPEN_MAX_DIRS 128

struct TargetDirs {
    pthread_mutex_t mutex;
    TargetDir *root;
    unsigned n_open;
    GQueue idle; /* open and not pinned; the longest unused first */
};

TargetDirs *target_dirs_new(int root_fd)
{
    TargetDirs *dirs = g_new0(TargetDirs, 1);
    TargetDir *root = g_new0(TargetDir, 1);

    pthread_mutex_init(&dirs->mutex, NULL);
    g_queue_init(&dirs->idle);
    root->all = dirs;
    root->name = g_strdup("");
    root->fd = root_fd;
    root->pins = 1; // never closed for want of room
    atomic_init(&root->open, 1);
    atomic_init(&root->refs, 1);
    dirs->root = root;
    return dirs;
}

TargetDir *target_dirs_root(TargetDirs *dirs)
{
    return dirs->root;
}

static void dir_free(TargetDir *dir)
{
    fs_clear_fd(&dir->fd);
    g_clear_pointer(&dir->names, g_hash_table_unref);
    node_free(dir->node);
    g_free(dir->name);
    g_free(dir);
}

void target_dirs_free(TargetDirs *dirs)
{
    if (!dirs)
        return;
    g_assert(atomic_load(&dirs->root->refs) == 1);
    dir_free(dirs->root);
    pthread_mutex_destroy(&dirs->mutex);
    g_free(dirs);
}

/* ---- descriptors; the mutex is held ---- */

static void make_room(TargetDirs *dirs)
{
    while (dirs->n_open > OPEN_MAX_DIRS && dirs->idle.head) {
        TargetDir *dir = dirs->idle.head->data;
        struct stat st;

        if (fstat(dir->fd, &st) == 0) {
            dir->dev = st.st_dev;
            dir->ino = st.st_ino;
            dir->identified = true;
        }
        g_queue_unlink(&dirs->idle, &dir->idle);
        fs_clear_fd(&dir->fd);
        dirs->n_open--;
    }
}

static void became_open(TargetDir *dir, int fd)
{
    dir->fd = fd;
    dir->idle.data = dir;
    dir->all->n_open++;
    g_queue_push_tail_link(&dir->all->idle, &dir->idle);
    make_room(dir->all);
}

static bool open_again(TargetDir *dir, GError **error)
{
    fs_autoclose int fd =
        fs_open_beneath(dir->parent->fd, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, error);
    struct stat st;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !dir->identified || st.st_dev != dir->dev || st.st_ino != dir->ino) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s: the directory was replaced while restoring into it", dir->name);
        return false;
    }
    became_open(dir, fd);
    fd = -1;
    return true;
}

/* From the nearest open directory above down to this one. */
static bool open_chain(TargetDir *dir, GError **error)
{
    g_autoptr(GPtrArray) closed = g_ptr_array_new();

    for (; dir->fd < 0 && dir->parent; dir = dir->parent)
        g_ptr_array_add(closed, dir);
    for (guint i = closed->len; i-- > 0;)
        if (!open_again(closed->pdata[i], error))
            return false;
    return true;
}

/* ---- */

TargetDir *target_dir_new(TargetDir *parent, const char *name, int fd)
{
    TargetDir *dir = g_new0(TargetDir, 1);

    dir->all = parent->all;
    dir->parent = target_dir_ref(parent);
    dir->name = g_strdup(name);
    dir->fd = -1;
    atomic_init(&dir->open, 1);
    atomic_init(&dir->refs, 1);
    if (fd >= 0) {
        pthread_mutex_lock(&dir->all->mutex);
        became_open(dir, fd);
        pthread_mutex_unlock(&dir->all->mutex);
    }
    return dir;
}

TargetDir *target_dir_ref(TargetDir *dir)
{
    atomic_fetch_add(&dir->refs, 1);
    return dir;
}

void target_dir_unref(TargetDir *dir)
{
    while (dir && atomic_fetch_sub(&dir->refs, 1) == 1) {
        TargetDirs *all = dir->all;
        TargetDir *parent = dir->parent;

        pthread_mutex_lock(&all->mutex);
        if (dir->fd >= 0) {
            g_queue_unlink(&all->idle, &dir->idle);
            all->n_open--;
        }
        pthread_mutex_unlock(&all->mutex);
        dir_free(dir);
        dir = parent;
    }
}

int target_dir_pin(TargetDir *dir, GError **error)
{
    int fd = -1;

    pthread_mutex_lock(&dir->all->mutex);
    if (dir->fd >= 0 || open_chain(dir, error)) {
        if (dir->pins++ == 0)
            g_queue_unlink(&dir->all->idle, &dir->idle);
        fd = dir->fd;
    }
    pthread_mutex_unlock(&dir->all->mutex);
    return fd;
}

void target_dir_unpin(TargetDir *dir)
{
    pthread_mutex_lock(&dir->all->mutex);
    if (--dir->pins == 0) {
        g_queue_push_tail_link(&dir->all->idle, &dir->idle);
        make_room(dir->all);
    }
    pthread_mutex_unlock(&dir->all->mutex);
}

char *target_dir_path(const TargetDir *dir, const char *name)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new();

    g_ptr_array_add(parts, NULL);
    if (name)
        g_ptr_array_add(parts, (gpointer)name);
    for (; dir; dir = dir->parent)
        g_ptr_array_add(parts, dir->name);
    // gathered from the leaf up: turned round, the end mark comes last
    for (guint low = 0, high = parts->len - 1; low < high; low++, high--) {
        gpointer swapped = parts->pdata[low];

        parts->pdata[low] = parts->pdata[high];
        parts->pdata[high] = swapped;
    }
    return g_strjoinv("/", (char **)parts->pdata);
}
