/* SPDX-License-Identifier: Apache-2.0 */
#include "source/files.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/exclude.h"
#include "source/filecopy.h"
#include "source/filemeta.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READERS 2 /* as restic's --read-concurrency; more only helps slow disks */

/* The paths to back up, as a tree: what they share is one directory. */
typedef struct PathNode {
    char *name;
    bool target;         /* everything below */
    GPtrArray *children; /* of PathNode, sorted by name */
} PathNode;

typedef struct {
    Source base;
    PathNode *root;
    FilesOptions options;
} FilesSource;

typedef struct {
    const FilesSource *files;
    const SourceRun *run;
    Sink *sink; /* NULL: only count */
    FileReaders *readers;
    OwnerNames *names;
    GString *path;
    dev_t device; /* of the target walked, for one_file_system */
    bool seen;    /* at least one target was there */
} Walk;

/* ---- the tree of paths ---- */

static PathNode *path_node_new(const char *name)
{
    PathNode *node = g_new0(PathNode, 1);

    node->name = g_strdup(name);
    node->children = g_ptr_array_new();
    return node;
}

static void path_node_free(PathNode *node)
{
    if (!node)
        return;
    for (guint i = 0; i < node->children->len; i++)
        path_node_free(g_ptr_array_index(node->children, i));
    g_ptr_array_unref(node->children);
    g_free(node->name);
    g_free(node);
}

static PathNode *path_node_child(PathNode *node, const char *name)
{
    PathNode *child;
    guint i;

    for (i = 0; i < node->children->len; i++) {
        PathNode *there = g_ptr_array_index(node->children, i);
        int order = strcmp(there->name, name);

        if (order == 0)
            return there;
        if (order > 0)
            break;
    }
    child = path_node_new(name);
    g_ptr_array_insert(node->children, (gint)i, child);
    return child;
}

static void path_tree_add(PathNode *root, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    PathNode *node = root;

    for (char **part = parts; *part; part++)
        if (**part)
            node = path_node_child(node, *part);
    node->target = true;
}

/* ---- the walk ---- */

static void report(const Walk *walk, GError *problem)
{
    // counting runs beside the backup, which reports the same
    if (walk->sink)
        walk->run->problem(walk->path->len ? walk->path->str : "/", problem, walk->run->user);
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
    return cancel_check(walk->run->cancel, error) &&
           !(walk->readers && file_readers_failed(walk->readers));
}

static int by_bytes(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool walk_entry(Walk *walk, DirHandle *dir, const char *name, GError **error);

static bool walk_children(Walk *walk, DirHandle *dir, GError **error)
{
    g_autofree char *own = NULL;
    const char *mark = exclude_mark(&walk->files->options, dir_handle_fd(dir), &own);
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

    return sink_begin(walk->sink, &entry, ret_handle, error);
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
    if (walk->sink && !node_read_xattrs_fd(node, fd, &problem))
        report(walk, problem);
    ok = !walk->sink || begin(walk, node, &handle, error);
    if (ok) {
        ok = !below || walk_children(walk, dir, error);
        if (handle && ok)
            ok = sink_end(walk->sink, handle, NULL, error);
        else if (handle)
            sink_abandon(walk->sink, handle);
    }
    dir_handle_unref(dir);
    return ok;
}

static bool walk_file(Walk *walk, DirHandle *dir, Node *node, GError **error)
{
    bool reused;
    void *handle;

    if (!walk->sink) {
        walk->run->progress->files_total++;
        walk->run->progress->bytes_total += node->size;
        return true;
    }
    if (!begin(walk, node, &handle, error))
        return false;
    if (!sink_reuse(walk->sink, handle, &reused, error)) {
        sink_abandon(walk->sink, handle);
        return false;
    }
    if (reused)
        return sink_end(walk->sink, handle, NULL, error);
    file_readers_add(walk->readers, dir, walk->path->str, node_copy(node), handle);
    return true;
}

/* Links, devices, FIFOs: never opened. */
static bool walk_special(Walk *walk, int dirfd, Node *node, GError **error)
{
    GError *problem = NULL;
    void *handle;

    if (!walk->sink)
        return true;
    if (S_ISLNK(node->mode) && !node_read_link(node, dirfd, node->name, &problem)) {
        report(walk, problem);
        return true;
    }
    if (!node_read_xattrs_at(node, dirfd, node->name, &problem)) {
        report(walk, problem);
        return true;
    }
    return begin(walk, node, &handle, error) && sink_end(walk->sink, handle, NULL, error);
}

static bool walk_known(Walk *walk, DirHandle *dir, const char *name, const struct stat *st,
                       GError **error)
{
    const FilesOptions *options = &walk->files->options;
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
    if (exclude_path(&walk->files->options, walk->path->str))
        ;
    else if (fstatat(dir_handle_fd(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        report_errno(walk, errno, "stat");
    else if (!exclude_stat(&walk->files->options, &st))
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

static bool has_target(const PathNode *node)
{
    if (node->target)
        return true;
    for (guint i = 0; i < node->children->len; i++)
        if (has_target(g_ptr_array_index(node->children, i)))
            return true;
    return false;
}

static bool walk_paths(Walk *walk, DirHandle *dir, const PathNode *paths, GError **error);

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
        report_errno(walk, errno, "open directory");
        fs_clear_fd(&fd);
        return true;
    }
    next = dir_handle_new(fd);
    node = node_from_stat(path->name, &st, walk->names, walk->files->options.with_atime);
    (void)node_read_xattrs_at(node, fd, ".", NULL); // of a directory that was not asked for
    ok = (!walk->sink || begin(walk, node, &handle, error)) && walk_paths(walk, next, path, error);
    if (handle && ok)
        ok = sink_end(walk->sink, handle, NULL, error);
    else if (handle)
        sink_abandon(walk->sink, handle);
    dir_handle_unref(next);
    return ok;
}

static bool walk_paths(Walk *walk, DirHandle *dir, const PathNode *paths, GError **error)
{
    for (guint i = 0; i < paths->children->len; i++) {
        const PathNode *path = g_ptr_array_index(paths->children, i);
        size_t len = walk->path->len;
        bool ok;

        if (!has_target(path))
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
    const PathNode *root = walk->files->root;
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

/* ---- the source ---- */

static bool files_backup(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    FilesSource *files = (FilesSource *)source;
    g_autoptr(OwnerNames) names = owner_names_new();
    g_autoptr(GString) path = g_string_new(NULL);
    FileCopy copy = { .sink = sink, .run = run, .with_atime = files->options.with_atime };
    g_autoptr(FileReaders) readers = file_readers_new(sink, file_copy, &copy, READERS);
    Walk walk = {
        .files = files, .run = run, .sink = sink, .readers = readers, .names = names, .path = path
    };
    g_autoptr(GError) walk_failure = NULL;
    bool walked = walk_root(&walk, &walk_failure);

    // what a reader met comes first: the walk only stopped because of it
    if (!file_readers_finish(readers, error))
        return false;
    if (!walked) {
        g_propagate_error(error, g_steal_pointer(&walk_failure));
        return false;
    }
    if (!walk.seen) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "none of the paths to back up exists");
        return false;
    }
    return true;
}

static void files_estimate(Source *source, const SourceRun *run)
{
    FilesSource *files = (FilesSource *)source;
    g_autoptr(OwnerNames) names = owner_names_new();
    g_autoptr(GString) path = g_string_new(NULL);
    Walk walk = { .files = files, .run = run, .names = names, .path = path };

    if (walk_root(&walk, NULL))
        atomic_store(&run->progress->total_known, true);
}

static void files_free(Source *source)
{
    FilesSource *files = (FilesSource *)source;

    path_node_free(files->root);
    pattern_list_free(files->options.exclude);
    pattern_list_free(files->options.iexclude);
    g_strfreev(files->options.exclude_if_present);
    g_free(files);
}

static const SourceOps files_ops = {
    .kind = "files",
    .estimate = files_estimate,
    .backup = files_backup,
    .free = files_free,
};

Source *files_source_new(const char *const *paths, const FilesOptions *options, GError **error)
{
    g_autoptr(GPtrArray) clean = g_ptr_array_new_with_free_func(g_free);
    unsigned found = 0;
    FilesSource *files;

    for (const char *const *path = paths; *path; path++) {
        char *absolute = g_canonicalize_filename(*path, NULL);
        struct stat st;

        found += lstat(absolute, &st) == 0;
        g_ptr_array_add(clean, absolute);
    }
    if (found == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: %s", paths[0] ? paths[0] : "no path",
                    clean->len > 1 ? "neither this nor any of the other paths exists"
                                   : "no such file or directory");
        return NULL;
    }
    g_ptr_array_sort(clean, by_bytes);
    g_ptr_array_add(clean, NULL);
    files = g_new0(FilesSource, 1);
    files->base.ops = &files_ops;
    files->base.tags = g_ptr_array_new_with_free_func(g_free);
    files->options = *options;
    files->options.exclude_if_present = g_strdupv(options->exclude_if_present);
    files->root = path_node_new("");
    for (guint i = 0; i + 1 < clean->len; i++)
        path_tree_add(files->root, g_ptr_array_index(clean, i));
    files->base.paths = g_strdupv((char **)clean->pdata);
    return &files->base;
}
