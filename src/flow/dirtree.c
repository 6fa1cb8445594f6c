/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirtree.h"
#include "base/error.h"
#include "base/fs.h"
#include "flow/dirremove.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool remove_extra(const Target *target, TargetDir *dir, int dirfd, const char *name,
                         GError **error)
{
    const DirSinkOptions *options = &target->options;
    g_autofree char *path = target_dir_path(dir, name);
    Node extra = { .name = (char *)name };
    struct stat st;

    if (options->may_delete && !options->may_delete(path, options->user))
        return true;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        extra.mode = st.st_mode;
    if (options->one_mount && fs_mount_id(dirfd) != fs_mount_id(target_dirs_root(dir->all)->fd)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_DENIED,
                            "lies on another mount than the target; remove it yourself");
        return false;
    }
    if (!options->dry_run && !remove_tree_at(dirfd, name, error))
        return false;
    target_report(target, dir, &extra, "deleted");
    return true;
}

static bool is_extra(const TargetDir *dir, const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           !g_hash_table_contains(dir->names, name) &&
           (dir->parent || strcmp(name, DIR_SINK_MARK) != 0);
}

static bool list_extras(const TargetDir *dir, int dirfd, GPtrArray *extras, GError **error)
{
    int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    bool ok;

    while (list && (errno = 0, entry = readdir(list)))
        if (is_extra(dir, entry->d_name))
            g_ptr_array_add(extras, g_strdup(entry->d_name));
    ok = list && errno == 0;
    if (!ok)
        bs_error_errno(error, errno, "look for what the snapshot does not have");
    if (list)
        closedir(list);
    else
        fs_clear_fd(&copy);
    return ok;
}

static void remove_extras(const Target *target, TargetDir *dir, int dirfd)
{
    g_autoptr(GPtrArray) extras = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) unlisted = NULL;

    if (!dir->names || dir->fresh || dir->incomplete)
        return;
    if (!list_extras(dir, dirfd, extras, &unlisted))
        target_warn(target, dir, NULL, unlisted);
    for (guint i = 0; i < extras->len; i++) {
        g_autoptr(GError) problem = NULL;

        if (!remove_extra(target, dir, dirfd, extras->pdata[i], &problem)) {
            g_prefix_error(&problem, "delete: ");
            target_warn(target, dir, extras->pdata[i], problem);
        }
    }
}

static void directory_done(const Target *target, TargetDir *dir)
{
    g_autoptr(GError) problem = NULL;
    int dirfd;

    // a dry run into what does not exist
    if (dir->fresh && target->options.dry_run)
        return;
    dirfd = target_dir_pin(dir, &problem);
    if (dirfd < 0) {
        target_warn(target, dir, NULL, problem);
        return;
    }
    remove_extras(target, dir, dirfd);
    if (dir->node && !target->options.dry_run)
        target_restore_meta(target, dir->parent, dirfd, dir->node);
    target_dir_unpin(dir);
}

void dir_tree_enter(TargetDir *dir)
{
    atomic_fetch_add(&dir->open, 1);
}

void dir_tree_leave(const Target *target, TargetDir *dir)
{
    while (dir && atomic_fetch_sub(&dir->open, 1) == 1) {
        TargetDir *parent = dir->parent;

        directory_done(target, dir);
        // the directory itself is worked on as long as something in it is
        if (parent)
            target_dir_unref(dir);
        dir = parent;
    }
}

static bool make_directory(const Target *target, int dirfd, const char *name,
                           const struct stat *there, bool *ret_fresh, GError **error)
{
    *ret_fresh = !S_ISDIR(there->st_mode);
    if (!*ret_fresh)
        return true;
    // a link is never followed, wherever it leads: what is in the way goes
    if (there->st_mode && target->options.overwrite == OVERWRITE_NEVER) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_EXISTS,
                            "something else than a directory has its name");
        return false;
    }
    if (there->st_mode && unlinkat(dirfd, name, 0) < 0) {
        bs_error_errno(error, errno, "remove what has its name");
        return false;
    }
    if (mkdirat(dirfd, name, 0700) < 0) {
        bs_error_errno(error, errno, "make directory");
        return false;
    }
    return true;
}

bool dir_tree_open(const Target *target, TargetDir *parent, const char *name,
                   const struct stat *there, int *ret_fd, bool *ret_fresh, GError **error)
{
    int dirfd = target_dir_pin(parent, error);

    if (dirfd < 0)
        return false;
    *ret_fd = -1;
    if (make_directory(target, dirfd, name, there, ret_fresh, error))
        *ret_fd = fs_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, error);
    target_dir_unpin(parent);
    return *ret_fd >= 0;
}
