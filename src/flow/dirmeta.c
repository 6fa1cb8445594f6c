/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirmeta.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As an id of an owner this means "leave it as it is": chown(2). */
#define NO_OWNER UINT32_MAX

typedef struct {
    char text[32];
} FdPath;

/* What a descriptor opened with O_PATH stands for, for the calls that take none: open(2), O_PATH.
 */
static FdPath fd_path(int fd)
{
    FdPath path;

    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
    return path;
}

static void warn_errno(const MetaOptions *options, int errnum, const char *what)
{
    g_autoptr(GError) problem = NULL;

    bs_error_errno(&problem, errnum, "%s", what);
    options->warn(options->user, problem);
}

static int change_owner(int fd, uint32_t uid, uint32_t gid)
{
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

/* The mode bits that may be set: who could not give a file away must not leave it with its old
 * owner's rights. */
static mode_t restore_owner(int fd, const Node *node, const MetaOptions *options)
{
    mode_t mode = node->mode & 07777;
    int problem = 0;

    if (node->uid != NO_OWNER && node->gid != NO_OWNER)
        problem = change_owner(fd, node->uid, node->gid);
    else
        problem = EINVAL;
    if (problem == 0)
        return options->no_special ? mode & ~(mode_t)(S_ISUID | S_ISGID) : mode;
    // as anyone but root it is the usual case, and no news
    if (problem != EPERM || geteuid() == 0)
        warn_errno(options, problem, "set owner");
    else if (node->gid != NO_OWNER && change_owner(fd, NO_OWNER, node->gid) == 0 &&
             !S_ISREG(node->mode))
        return mode;
    if (S_ISREG(node->mode) && mode & (S_ISUID | S_ISGID))
        warn_errno(options, problem, "set setuid and setgid for another owner");
    return mode & ~(mode_t)(S_ISUID | S_ISGID);
}

static void restore_mode(int fd, bool path_only, mode_t mode, const MetaOptions *options)
{
    int status = path_only ? chmod(fd_path(fd).text, mode) : fchmod(fd, mode);

    if (status < 0)
        warn_errno(options, errno, "set mode");
}

/* Only root may set what is not the user's own (xattr(7)); as anyone else that is no news, like the
 * owner. */
static bool expected_refusal(const char *name, int errnum)
{
    return geteuid() != 0 && errnum == EPERM &&
           (g_str_has_prefix(name, "trusted.") || g_str_has_prefix(name, "security."));
}

static void restore_xattrs(int fd, bool path_only, const Node *node, const MetaOptions *options)
{
    for (guint i = 0; node->xattrs && i < node->xattrs->len; i++) {
        const NodeXattr *xattr = &g_array_index(node->xattrs, NodeXattr, i);
        size_t len = 0;
        const void *value = g_bytes_get_data(xattr->value, &len);
        int status = path_only ? setxattr(fd_path(fd).text, xattr->name, value, len, 0)
                               : fsetxattr(fd, xattr->name, value, len, 0);

        if (status < 0 && !expected_refusal(xattr->name, errno)) {
            int errnum = errno;
            g_autofree char *shown = g_strescape(xattr->name, NULL);
            g_autofree char *what = g_strdup_printf("set extended attribute %s", shown);

            warn_errno(options, errnum, what);
        }
    }
}

static bool has_xattr(const Node *node, const char *name)
{
    for (guint i = 0; node->xattrs && i < node->xattrs->len; i++)
        if (strcmp(g_array_index(node->xattrs, NodeXattr, i).name, name) == 0)
            return true;
    return false;
}

/* Labels are the system's: they stay. */
static bool may_be_left_over(const char *name)
{
    return g_str_has_prefix(name, "user.") || g_str_has_prefix(name, "system.posix_acl_") ||
           strcmp(name, "security.capability") == 0;
}

/* What cannot be listed has none: file systems without them say so. */
static void remove_extra_xattrs(int fd, const Node *node, const MetaOptions *options)
{
    ssize_t room = flistxattr(fd, NULL, 0);
    g_autofree char *names = room > 0 ? g_malloc((size_t)room) : NULL;
    ssize_t len = names ? flistxattr(fd, names, (size_t)room) : 0;

    if (room > 0 && len < 0)
        warn_errno(options, errno, "list extended attributes");
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
        if (may_be_left_over(names + at) && !has_xattr(node, names + at) &&
            fremovexattr(fd, names + at) < 0 && errno != ENODATA)
            warn_errno(options, errno, "remove an extended attribute");
}

static void restore_times(int fd, bool path_only, const Node *node, const MetaOptions *options)
{
    struct timespec times[] = {
        { .tv_sec = node->atime.sec, .tv_nsec = node->atime.nsec },
        { .tv_sec = node->mtime.sec, .tv_nsec = node->mtime.nsec },
    };
    int status = path_only ? utimensat(fd, "", times, AT_EMPTY_PATH) : futimens(fd, times);

    if (status < 0)
        warn_errno(options, errno, "set times");
}

/*
 * Extended attributes come before the mode: with the mode a file may become read-only even for its
 * owner, and a user attribute can then no longer be set. An ACL survives that, for the group bits
 * of the mode are its mask.
 */
void meta_restore(int fd, const Node *node, const MetaOptions *options)
{
    bool path_only = !S_ISREG(node->mode) && !S_ISDIR(node->mode);
    mode_t mode = restore_owner(fd, node, options);

    if (options->exact && !path_only)
        remove_extra_xattrs(fd, node, options);
    restore_xattrs(fd, path_only, node, options);
    // a link has no mode of its own, and chmod would change what it points to
    if (!S_ISLNK(node->mode))
        restore_mode(fd, path_only, mode, options);
    restore_times(fd, path_only, node, options);
}
