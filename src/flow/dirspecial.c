/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirspecial.h"
#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(int dirfd, const char *name, const Node *node)
{
    if (S_ISLNK(node->mode))
        return symlinkat(node->linktarget ? node->linktarget : "", dirfd, name);
    return mknodat(dirfd, name, (node->mode & S_IFMT) | 0600, (dev_t)node->device);
}

/* The thing that was made, and not what someone put in its place in the meantime. */
static bool hold(int dirfd, const char *name, const Node *node, int *ret_fd, GError **error)
{
    struct stat st;

    *ret_fd = fs_open_beneath(dirfd, name, O_PATH | O_NOFOLLOW, 0, error);
    if (*ret_fd < 0)
        return false;
    if (fstat(*ret_fd, &st) == 0 && (st.st_mode & S_IFMT) == (node->mode & S_IFMT) &&
        st.st_nlink == 1)
        return true;
    fs_clear_fd(ret_fd);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED, "was replaced while it was made");
    return false;
}

static bool place(Target *target, const TargetDir *dir, int dirfd, const Node *node, GError **error)
{
    TempName temp = target_temp_name(target);
    fs_autoclose int fd = -1;

    if (make(dirfd, temp.text, node) < 0) {
        bs_error_errno(error, errno, "make %s", node_type_name(node));
        return false;
    }
    if (hold(dirfd, temp.text, node, &fd, error)) {
        target_restore_meta(target, dir, fd, node);
        if (target_replace(target, dir, dirfd, temp.text, node->name, error))
            return true;
    }
    (void)unlinkat(dirfd, temp.text, 0);
    return false;
}

bool dir_special_make(Target *target, TargetDir *dir, const Node *node, GError **error)
{
    int dirfd = target_dir_pin(dir, error);
    bool ok;

    if (dirfd < 0)
        return false;
    ok = place(target, dir, dirfd, node, error);
    target_dir_unpin(dir);
    return ok;
}
