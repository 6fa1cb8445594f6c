/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restoreroot.h"

#include "base/error.h"
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

static bool is_plain(const char *path)
{
    g_auto(GStrv) names = NULL;

    if (*path != '/' || strlen(path) >= PATH_MAX)
        return false;
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    names = g_strsplit(path + 1, "/", -1);
    for (char **name = names; *name; name++)
        if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0 ||
            strlen(*name) > NAME_MAX)
            return false;
    return true;
}

/* What comes behind the root and a slash; NULL: nothing, or it is not below. */
static const char *below(const char *root, const char *path)
{
    size_t len = strlen(root);

    while (len > 0 && root[len - 1] == '/')
        len--;
    return strncmp(root, path, len) == 0 && path[len] == '/' && path[len + 1] ? path + len + 1
                                                                              : NULL;
}

static bool has_entries(int fd)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    bool found = false;

    if (!dir) {
        (void)close(fd);
        return true; // what cannot be looked at is not taken for empty
    }
    while (!found && (entry = readdir(dir)))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return found;
}

static bool refuse_way(GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "the target cannot be restored to: something on the way is a link, of another "
                "kind, or closed to us");
    return false;
}

/* Down to the last one that is there: what is missing is made by the restore, and then *ret_fd is
 * -1. */
static bool descend(const char *root, char *const *names, int *ret_fd, GError **error)
{
    fs_autoclose int at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GError) failure = NULL;

    *ret_fd = -1;
    if (at < 0) {
        bs_error_errno(error, errno, "open %s", root);
        return false;
    }
    for (; *names; names++) {
        const int next = fs_open_beneath(at, *names, O_RDONLY | O_DIRECTORY, 0, &failure);

        if (next < 0)
            return g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) || refuse_way(error);
        (void)close(at);
        at = next;
    }
    *ret_fd = at;
    at = -1;
    return true;
}

static bool look(const char *root, const char *rest, bool *ret_exists, GError **error)
{
    g_auto(GStrv) names = g_strsplit(rest, "/", -1);
    int fd;

    if (!descend(root, names, &fd, error))
        return false;
    *ret_exists = fd >= 0 && has_entries(fd); // which closes it
    return true;
}

static bool look_file(const char *root, const char *rest, bool *ret_exists, GError **error)
{
    g_auto(GStrv) names = g_strsplit(rest, "/", -1);
    const guint last = g_strv_length(names) - 1;
    g_autofree char *name = names[last];
    fs_autoclose int fd = -1;
    struct stat st;

    names[last] = NULL;
    if (!descend(root, names, &fd, error))
        return false;
    *ret_exists = fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (*ret_exists)
        return S_ISREG(st.st_mode) || refuse_way(error);
    return fd < 0 || errno == ENOENT || refuse_way(error);
}

static bool find_root(char *const *roots, const char *path, const char **ret_root,
                      const char **ret_rest, GError **error)
{
    const char *rest = NULL;

    if (!is_plain(path)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the target must be an absolute path without \".\", \"..\", empty names and "
                    "control characters");
        return false;
    }
    for (char *const *root = roots; root && *root; root++) {
        const char *found = below(*root, path);

        // the deepest root leaves the least to go wrong
        if (found && (!rest || found > rest)) {
            rest = found;
            *ret_root = *root;
        }
    }
    *ret_rest = rest;
    if (rest)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED, "%s",
                roots && *roots
                    ? "the target is not below one of server.restore_roots"
                    : "the configuration allows no directory: server.restore_roots is empty");
    return false;
}

bool restore_root_check(char *const *roots, const char *path, const char **ret_root,
                        bool *ret_exists, GError **error)
{
    const char *rest;

    return find_root(roots, path, ret_root, &rest, error) &&
           look(*ret_root, rest, ret_exists, error);
}

bool restore_root_check_file(char *const *roots, const char *path, const char **ret_root,
                             bool *ret_exists, GError **error)
{
    const char *rest;

    return find_root(roots, path, ret_root, &rest, error) &&
           look_file(*ret_root, rest, ret_exists, error);
}
