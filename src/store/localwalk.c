/* SPDX-License-Identifier: Apache-2.0 */
#include "store/localwalk.h"

#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_DIR (O_RDONLY | O_DIRECTORY)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static bool walk_dir(const LocalWalk *walk, int fd, GString *key, GError **error);

static bool walk_error(const LocalWalk *walk, int errnum, const char *call, const char *key,
                       GError **error)
{
    bs_error_errno(error, errnum, "%s %s/%s", call, walk->location, key);
    return false;
}

static bool walk_subdir(const LocalWalk *walk, int dirfd, const char *name, GString *key,
                        GError **error)
{
    int fd = openat(dirfd, name, OPEN_DIR | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || walk_error(walk, errno, "open", key->str, error);
    g_string_append_c(key, '/');
    return walk_dir(walk, fd, key, error);
}

static bool walk_file(const LocalWalk *walk, int dirfd, const char *name, const struct stat *st,
                      const GString *key, GError **error)
{
    StoreObject object = {
        .key = key->str,
        .size = (uint64_t)st->st_size,
        .modified_at = st->st_mtim.tv_sec,
    };

    return walk->visit(dirfd, name, &object, walk->user, error);
}

static bool is_wanted(const LocalWalk *walk, const char *name, const char *key)
{
    return walk->leftovers ? store_name_is_temporary(name, strlen(name)) : store_key_is_valid(key);
}

/* key ends with the entry's name. stat(2) is called only for what will be visited. */
static bool walk_entry(const LocalWalk *walk, int dirfd, const struct dirent *entry, GString *key,
                       GError **error)
{
    const char *name = entry->d_name;
    bool wanted = is_wanted(walk, name, key->str);
    unsigned char type = entry->d_type;
    struct stat st;

    if (type == DT_DIR)
        return !store_key_is_valid(key->str) || walk_subdir(walk, dirfd, name, key, error);
    if (type != DT_UNKNOWN && (type != DT_REG || !wanted))
        return true;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        // removed since the directory was read
        return errno == ENOENT || walk_error(walk, errno, "stat", key->str, error);
    if (S_ISDIR(st.st_mode))
        return !store_key_is_valid(key->str) || walk_subdir(walk, dirfd, name, key, error);
    return !S_ISREG(st.st_mode) || !wanted || walk_file(walk, dirfd, name, &st, key, error);
}

/* key comes back longer. */
static bool walk_dir(const LocalWalk *walk, int fd, GString *key, GError **error)
{
    g_autoptr(DIR) dir = fdopendir(fd);
    const size_t len = key->len;

    g_assert(dir); // fd is an open directory
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        g_string_truncate(key, len);
        g_string_append(key, entry->d_name);
        if (!walk_entry(walk, fd, entry, key, error))
            return false;
    }
    g_string_truncate(key, len);
    return errno == 0 || walk_error(walk, errno, "list", key->str, error);
}

bool localwalk(const LocalWalk *walk, int fd, const char *prefix, GError **error)
{
    g_autoptr(GString) key = g_string_new(prefix);

    return walk_dir(walk, fd, key, error);
}
