/* SPDX-License-Identifier: Apache-2.0 */
#include "source/filewalk.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/exclude.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const FileWalk *what;
    OwnerNames *names;
    GString *path;
    dev_t device; /* of the target walked, for one_file_system */
    bool seen;    /* at least one target was there */
} Walk;

/* ---- the walk ---- */

static void report(const Walk *walk, GError *problem)
{
    // counting runs beside the backup, which reports the same
    if (walk->what->sink)
        walk->what->run->problem(walk->path->len ? walk->path->str : "/", problem,
                                 walk->what->run->user);
    g_error_free(problem);
}

static void report_errno(const Walk *walk, int errnum, const char *what)
{
    GError *problem = NULL;

    bs_error_errno(&problem, errnum, "%s", what);
    report(walk, problem);
}

static bool go_on(const Walk *walk, GError **error)
{
    return cancel_check(walk->what->run->cancel, error) &&
           !(walk->what->readers && file_readers_failed(walk->what->readers));
}

static bool walk_entry(Walk *walk, DirHandle *dir, const char *name, GError **error);

static bool walk_children(Walk *walk, DirHandle *dir, GError **error)
{
    g_autofree char *own = NULL;
    const char *mark = exclude_mark(walk->what->options, dir_handle_fd(dir), &own);
    GError *problem = NULL;
    g_autoptr(GPtrArray) names = dir_handle_names(dir, &problem);

    if (problem)
        report(walk, problem);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);

        if (mark && strcmp(name, mark) != 0)
            continue;
        if (!walk_entry(walk, dir, name, error))
            return false;
    }
    return true;
}

static bool begin(Walk *walk, const Node *node, void **ret_handle, GError **error)
{
    Entry entry = { .path = walk->path->str, .node = node };

    return sink_begin(walk->what->sink, &entry, ret_handle, error);
}

/* Everything below goes through this descriptor, so that nobody can put another directory in its
 * place. */
static int open_dir(int dirfd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dirfd, name, flags | O_NOATIME);

    return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

static bool walk_dir(Walk *walk, int dirfd, const char *name, Node *node, bool below,
                     GError **error)
{
    GError *problem = NULL;
    void *handle = NULL;
    int fd = open_dir(dirfd, name);
    DirHandle *dir;
    bool ok;

    if (fd < 0) {
        report_errno(walk, errno, "open directory");
        return true;
    }
    dir = dir_handle_new(fd);
    if (walk->what->sink && !node_read_xattrs_fd(node, fd, &problem))
        report(walk, problem);
    ok = !walk->what->sink || begin(walk, node, &handle, error);
    if (ok) {
        ok = !below || walk_children(walk, dir, error);
        if (handle && ok)
            ok = sink_end(walk->what->sink, handle, NULL, error);
        else if (handle)
            sink_abandon(walk->what->sink, handle);
    }
    dir_handle_unref(dir);
    return ok;
}

static bool walk_file(Walk *walk, DirHandle *dir, Node *node, GError **error)
{
    bool reused;
    void *handle;

    if (!walk->what->sink) {
        walk->what->run->progress->files_total++;
        walk->what->run->progress->bytes_total += node->size;
        return true;
    }
    if (!begin(walk, node, &handle, error))
        return false;
    if (!sink_reuse(walk->what->sink, handle, &reused, error)) {
        sink_abandon(walk->what->sink, handle);
        return false;
    }
    if (reused)
        return sink_end(walk->what->sink, handle, NULL, error);
    file_readers_add(walk->what->readers, dir, walk->path->str, node_copy(node), handle);
    return true;
}

/* Links, devices, FIFOs: never opened. */
static bool walk_special(Walk *walk, int dirfd, Node *node, GError **error)
{
    GError *problem = NULL;
    void *handle;

    if (!walk->what->sink)
        return true;
    if (S_ISLNK(node->mode) && !node_read_link(node, dirfd, node->name, &problem)) {
        report(walk, problem);
        return true;
    }
    if (!node_read_xattrs_at(node, dirfd, node->name, &problem)) {
        report(walk, problem);
        return true;
    }
    return begin(walk, node, &handle, error) && sink_end(walk->what->sink, handle, NULL, error);
}

static bool walk_known(Walk *walk, DirHandle *dir, const char *name, const struct stat *st,
                       GError **error)
{
    const FilesOptions *options = walk->what->options;
    g_autoptr(Node) node = node_from_stat(name, st, walk->names, options->with_atime);

    if (S_ISDIR(st->st_mode)) {
        // a mount point stays as an empty directory
        bool below = !options->one_file_system || st->st_dev == walk->device;

        return walk_dir(walk, dir_handle_fd(dir), name, node, below, error);
    }
    if (S_ISREG(st->st_mode))
        return walk_file(walk, dir, node, error);
    if (S_ISSOCK(st->st_mode))
        return true; // means nothing without its process; left out as in restic
    return walk_special(walk, dir_handle_fd(dir), node, error);
}

static bool walk_entry(Walk *walk, DirHandle *dir, const char *name, GError **error)
{
    size_t len = walk->path->len;
    struct stat st;
    bool ok = true;

    if (!go_on(walk, error))
        return false;
    g_string_append_printf(walk->path, "/%s", name);
    if (exclude_path(walk->what->options, walk->path->str))
        ;
    else if (fstatat(dir_handle_fd(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        report_errno(walk, errno, "stat");
    else if (!exclude_stat(walk->what->options, &st))
        ok = walk_known(walk, dir, name, &st, error);
    g_string_truncate(walk->path, len);
    return ok;
}

/* ---- from the root to the targets ---- */

static bool walk_target(Walk *walk, DirHandle *dir, const char *name, GError **error)
{
    struct stat st;

    if (fstatat(dir_handle_fd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        walk->device = st.st_dev;
        walk->seen = true;
    }
    return walk_entry(walk, dir, name, error);
}

static bool walk_paths(Walk *walk, DirHandle *dir, const PathNode *paths, GError **error);

/* Named as it was asked for, and with the directory that is missing. */
static void report_beyond(Walk *walk, const PathNode *path, int errnum, const char *missing)
{
    for (guint i = 0; i < path->children->len; i++) {
        const PathNode *child = g_ptr_array_index(path->children, i);
        size_t len = walk->path->len;

        g_string_append_printf(walk->path, "/%s", child->name);
        if (child->target)
            report_errno(walk, errnum, missing);
        else
            report_beyond(walk, child, errnum, missing);
        g_string_truncate(walk->path, len);
    }
}

/* A directory on the way to a target: kept with its metadata, but only what leads on. */
static bool walk_between(Walk *walk, DirHandle *dir, const PathNode *path, GError **error)
{
    g_autoptr(Node) node = NULL;
    void *handle = NULL;
    DirHandle *next;
    struct stat st;
    bool ok;
    // what is not asked for need not be readable, only passable
    int fd = openat(dir_handle_fd(dir), path->name, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        const int errnum = errno;
        g_autofree char *missing = g_strdup_printf("open directory %s", walk->path->str);

        report_beyond(walk, path, errnum, missing);
        fs_clear_fd(&fd);
        return true;
    }
    next = dir_handle_new(fd);
    node = node_from_stat(path->name, &st, walk->names, walk->what->options->with_atime);
    (void)node_read_xattrs_at(node, fd, ".", NULL); // of a directory that was not asked for
    ok = (!walk->what->sink || begin(walk, node, &handle, error)) &&
         walk_paths(walk, next, path, error);
    if (handle && ok)
        ok = sink_end(walk->what->sink, handle, NULL, error);
    else if (handle)
        sink_abandon(walk->what->sink, handle);
    dir_handle_unref(next);
    return ok;
}

static bool walk_paths(Walk *walk, DirHandle *dir, const PathNode *paths, GError **error)
{
    for (guint i = 0; i < paths->children->len; i++) {
        const PathNode *path = g_ptr_array_index(paths->children, i);
        size_t len = walk->path->len;
        bool ok;

        if (!path_tree_has_target(path))
            continue;
        if (path->target) {
            ok = walk_target(walk, dir, path->name, error);
        } else {
            g_string_append_printf(walk->path, "/%s", path->name);
            ok = walk_between(walk, dir, path, error);
            g_string_truncate(walk->path, len);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool walk_root(Walk *walk, GError **error)
{
    const PathNode *root = walk->what->paths;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DirHandle *dir;
    struct stat st;
    bool ok;

    if (fd < 0 || fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "open /");
        fs_clear_fd(&fd);
        return false;
    }
    dir = dir_handle_new(fd);
    walk->device = st.st_dev;
    walk->seen = root->target;
    ok = root->target ? walk_children(walk, dir, error) : walk_paths(walk, dir, root, error);
    dir_handle_unref(dir);
    return ok;
}

bool file_walk(const FileWalk *what, bool *ret_seen, GError **error)
{
    g_autoptr(OwnerNames) names = owner_names_new();
    g_autoptr(GString) path = g_string_new(NULL);
    Walk walk = { .what = what, .names = names, .path = path };

    if (!walk_root(&walk, error))
        return false;
    *ret_seen = walk.seen;
    return true;
}
