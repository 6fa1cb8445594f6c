/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/fs.h"
#include "flow/dirsink.h"
#include "flow/targetdir.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define READ_STEP (256u * 1024)

typedef struct {
    Sink base;
    TargetDirs *dirs;
    TargetDir *current; /* the innermost directory that was begun */
    DirDiffers differs;
    void *user;
    pthread_mutex_t mutex; /* differs() is never called by two */
} CompareSink;

/* A handle. */
typedef struct {
    char *path;
    TargetDir *dir; /* a directory: itself */
    int fd;         /* a file's */
    uint64_t size;
    atomic_uint_least64_t seen; /* bytes that were compared */
    atomic_bool different;      /* said once per file */
} Item;

static void say(CompareSink *sink, const char *path, const char *what)
{
    pthread_mutex_lock(&sink->mutex);
    sink->differs(path, what, sink->user);
    pthread_mutex_unlock(&sink->mutex);
}

/* ---- metadata ---- */

static bool same_time(Timestamp time, const struct timespec *there)
{
    return time.sec == there->tv_sec && time.nsec == (uint32_t)there->tv_nsec;
}

static void compare_stat(CompareSink *sink, const char *path, const Node *node,
                         const struct stat *there)
{
    if (node->uid != there->st_uid || node->gid != there->st_gid)
        say(sink, path, "owner");
    // a link has no mode of its own
    if (!S_ISLNK(node->mode) && (node->mode & 07777) != (there->st_mode & 07777))
        say(sink, path, "mode");
    if (!same_time(node->mtime, &there->st_mtim))
        say(sink, path, "mtime");
    if ((S_ISBLK(node->mode) || S_ISCHR(node->mode)) && node->device != there->st_rdev)
        say(sink, path, "device number");
    if (S_ISREG(node->mode) && node->size != (uint64_t)there->st_size)
        say(sink, path, "size");
}

static bool same_target(int dirfd, const Node *node)
{
    const char *want = node->linktarget ? node->linktarget : "";
    size_t len = strlen(want);
    g_autofree char *target = g_malloc(len + 2);
    ssize_t there = readlinkat(dirfd, node->name, target, len + 2);

    return there == (ssize_t)len && memcmp(target, want, len) == 0;
}

static bool has_xattr(int fd, const NodeXattr *xattr)
{
    size_t len = 0;
    const void *want = g_bytes_get_data(xattr->value, &len);
    g_autofree char *there = g_malloc(len + 1);
    ssize_t there_len = fgetxattr(fd, xattr->name, there, len + 1);

    return there_len == (ssize_t)len && (len == 0 || memcmp(there, want, len) == 0);
}

static void compare_xattrs(CompareSink *sink, const char *path, const Node *node, int fd)
{
    for (guint i = 0; node->xattrs && i < node->xattrs->len; i++)
        if (!has_xattr(fd, &g_array_index(node->xattrs, NodeXattr, i))) {
            say(sink, path, "extended attributes");
            return;
        }
}

/* ---- the sink ---- */

static bool not_compared(GError **error)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "nothing to compare with");
    return false;
}

/* Opens what has content, or entries, to compare. */
static bool open_entry(CompareSink *sink, int dirfd, const Entry *entry, Item *item, GError **error)
{
    const Node *node = entry->node;
    int flags = S_ISDIR(node->mode) ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                                    : O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    int fd = fs_open_beneath(dirfd, node->name, flags, 0, error);

    if (fd < 0)
        return false;
    compare_xattrs(sink, entry->path, node, fd);
    if (!S_ISDIR(node->mode)) {
        item->fd = fd;
        return true;
    }
    item->dir = target_dir_new(sink->current, node->name, fd);
    sink->current = item->dir;
    return true;
}

static bool compare_entry(CompareSink *sink, int dirfd, const Entry *entry, Item *item,
                          GError **error)
{
    const Node *node = entry->node;
    struct stat there;

    if (fstatat(dirfd, node->name, &there, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT) {
            bs_error_errno(error, errno, "look at what is there");
            return false;
        }
        say(sink, entry->path, "missing");
        return not_compared(error);
    }
    if ((there.st_mode & S_IFMT) != (node->mode & S_IFMT)) {
        say(sink, entry->path, "type");
        return not_compared(error);
    }
    compare_stat(sink, entry->path, node, &there);
    if (S_ISLNK(node->mode) && !same_target(dirfd, node))
        say(sink, entry->path, "link target");
    // a size that differs has been told: the content of this file need not be read
    item->size = (uint64_t)there.st_size;
    atomic_init(&item->different, S_ISREG(node->mode) && node->size != item->size);
    return (!S_ISDIR(node->mode) && !S_ISREG(node->mode)) ||
           open_entry(sink, dirfd, entry, item, error);
}

static void item_free(Item *item)
{
    fs_clear_fd(&item->fd);
    g_free(item->path);
    g_free(item);
}

static bool compare_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    CompareSink *sink = (CompareSink *)base;
    TargetDir *dir = sink->current;
    Item *item;
    int dirfd;
    bool ok;

    // restored by nobody
    if (entry->node->irregular || S_ISSOCK(entry->node->mode))
        return not_compared(error);
    dirfd = target_dir_pin(dir, error);
    if (dirfd < 0)
        return false;
    item = g_new0(Item, 1);
    item->path = g_strdup(entry->path);
    item->fd = -1;
    ok = compare_entry(sink, dirfd, entry, item, error);
    target_dir_unpin(dir);
    if (ok)
        *ret_handle = item;
    else
        item_free(item);
    return ok;
}

static bool same_bytes(int fd, uint64_t offset, const char *want, size_t len, bool *ret_same,
                       const char *name, GError **error)
{
    g_autofree char *there = g_malloc(MIN(len, READ_STEP));

    *ret_same = true;
    while (*ret_same && len > 0) {
        size_t step = MIN(len, READ_STEP), got = 0;

        if (!fs_pread_full(fd, there, step, offset, &got, name, error))
            return false;
        *ret_same = got == step && memcmp(there, want, step) == 0;
        offset += step;
        want += step;
        len -= step;
    }
    return true;
}

static bool compare_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                          GError **error)
{
    Item *item = handle;
    bool same = true;

    atomic_fetch_add(&item->seen, len);
    if (atomic_load(&item->different))
        return true;
    if (!same_bytes(item->fd, offset, data, len, &same, item->path, error))
        return false;
    if (!same && !atomic_exchange(&item->different, true))
        say((CompareSink *)base, item->path, "content");
    return true;
}

static bool compare_reuse(Sink *base, void *handle, bool *ret_reused, GError **error)
{
    const Item *item = handle;

    (void)base, (void)error;
    *ret_reused = atomic_load(&item->different);
    return true;
}

static void end_item(CompareSink *sink, Item *item)
{
    if (item->dir) {
        g_assert(sink->current == item->dir);
        sink->current = item->dir->parent;
        target_dir_unref(item->dir);
    }
    item_free(item);
}

static bool compare_end(Sink *base, void *handle, const Node *node, GError **error)
{
    Item *item = handle;

    (void)node, (void)error;
    // the file has the size that its node says, and its node says more or less than its blobs
    if (item->fd >= 0 && !atomic_load(&item->different) && atomic_load(&item->seen) != item->size)
        say((CompareSink *)base, item->path, "content");
    end_item((CompareSink *)base, item);
    return true;
}

static void compare_abandon(Sink *base, void *handle)
{
    end_item((CompareSink *)base, handle);
}

static bool compare_finish(Sink *base, GError **error)
{
    (void)base, (void)error;
    return true;
}

static void compare_free(Sink *base)
{
    CompareSink *sink = (CompareSink *)base;

    while (sink->current->parent) {
        TargetDir *dir = sink->current;

        sink->current = dir->parent;
        target_dir_unref(dir);
    }
    target_dirs_free(sink->dirs);
    pthread_mutex_destroy(&sink->mutex);
    g_free(sink);
}

static const SinkOps compare_ops = {
    .name = "compare",
    .caps = SINK_MANY_OPEN | SINK_ANY_ORDER,
    .begin = compare_begin,
    .write = compare_write,
    .reuse = compare_reuse,
    .end = compare_end,
    .abandon = compare_abandon,
    .finish = compare_finish,
    .free = compare_free,
};

Sink *compare_sink_new(const char *target, DirDiffers differs, void *user, GError **error)
{
    int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CompareSink *sink;

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", target);
        return NULL;
    }
    sink = g_new0(CompareSink, 1);
    sink->base.ops = &compare_ops;
    sink->dirs = target_dirs_new(fd);
    sink->current = target_dirs_root(sink->dirs);
    sink->differs = differs;
    sink->user = user;
    pthread_mutex_init(&sink->mutex, NULL);
    return &sink->base;
}
