/* SPDX-License-Identifier: Apache-2.0 */
#include "base/movetogether.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static bool fail(const char *from, const char *to, int errnum, GError **error)
{
    bs_error_errno(error, errnum, "rename %s to %s", from, to);
    return false;
}

bool move_new(const char *from, const char *to, GError **error)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return fail(from, to, errno, error);
    // NFS and older FUSE have links instead
    if (link(from, to) != 0)
        return fail(from, to, errno, error);
    return unlink(from) == 0 || fail(from, to, errno, error);
}

/* ---- companions ---- */

static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;

    return lstat(a, &left) == 0 && lstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* A second name. Where there are no links it has none for now. */
static bool name_twice(const char *from, const char *to, GError **error)
{
    if (link(from, to) == 0 || errno == ENOENT || errno == EPERM || errno == EOPNOTSUPP ||
        errno == ENOSYS || errno == EMLINK)
        return true;
    // of a move that was interrupted
    return (errno == EEXIST && is_same_file(from, to)) || fail(from, to, errno, error);
}

static bool drop_first_name(const char *from, const char *to, GError **error)
{
    if (!is_same_file(from, to))
        return access(from, F_OK) != 0 || move_new(from, to, error);
    return unlink(from) == 0 || fail(from, to, errno, error);
}

static void drop_second_name(const char *from, const char *to)
{
    if (is_same_file(from, to))
        (void)unlink(to); // a name too many does no harm
}

static bool each(const char *from, const char *to, const char *const *suffixes,
                 bool (*step)(const char *from, const char *to, GError **error), GError **error)
{
    for (; *suffixes; suffixes++) {
        g_autofree char *old = g_strconcat(from, *suffixes, NULL);
        g_autofree char *new = g_strconcat(to, *suffixes, NULL);

        if (!step(old, new, error))
            return false;
    }
    return true;
}

bool move_together(const char *from, const char *to, const char *const *suffixes, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(to);

    if (each(from, to, suffixes, name_twice, error) && fs_sync_dir(dir, error) &&
        move_new(from, to, error))
        return each(from, to, suffixes, drop_first_name, error);
    for (; *suffixes; suffixes++) {
        g_autofree char *old = g_strconcat(from, *suffixes, NULL);
        g_autofree char *new = g_strconcat(to, *suffixes, NULL);

        drop_second_name(old, new);
    }
    return false;
}
