/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirremove.h"
#include "base/error.h"
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory that is being emptied: what it is, so that ".." can be checked, and its name above.
 */
typedef struct {
    dev_t dev;
    ino_t ino;
    uint64_t mount;
    char *name;
} Level;

static void level_clear(gpointer data)
{
    g_free(((Level *)data)->name);
}

/* Unlinks what it can; the name of a directory found there, or NULL when dirfd is empty now. */
static bool empty_of_files(int dirfd, char **ret_subdir, GError **error)
{
    int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    bool ok = list != NULL;

    *ret_subdir = NULL;
    while (ok && !*ret_subdir && (errno = 0, entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EISDIR || (errno == EPERM && entry->d_type == DT_DIR))
            *ret_subdir = g_strdup(entry->d_name);
        else
            ok = false;
    }
    if (!ok || (!*ret_subdir && errno != 0)) {
        bs_error_errno(error, errno, "remove files");
        ok = false;
    }
    if (list)
        closedir(list);
    else
        fs_clear_fd(&copy);
    return ok;
}

static bool enter(int *fd, GArray *levels, const char *name, GError **error)
{
    int below = fs_open_beneath(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, error);
    Level level = { .name = g_strdup(name) };
    struct stat st;

    if (below >= 0 && fstat(below, &st) < 0) {
        bs_error_errno(error, errno, "read directory");
        fs_clear_fd(&below);
    }
    if (below < 0) {
        level_clear(&level);
        return false;
    }
    level.dev = st.st_dev;
    level.ino = st.st_ino;
    level.mount = fs_mount_id(below);
    // a part of the same file system may be mounted there, too
    if (g_array_index(levels, Level, 0).dev != level.dev ||
        g_array_index(levels, Level, 0).mount != level.mount) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_DENIED,
                            "another file system is mounted in it");
        fs_clear_fd(&below);
        level_clear(&level);
        return false;
    }
    g_array_append_val(levels, level);
    fs_clear_fd(fd);
    *fd = below;
    return true;
}

/* Back to the directory above and away with the empty one. */
static bool leave(int *fd, GArray *levels, GError **error)
{
    const Level *above = &g_array_index(levels, Level, levels->len - 2);
    const Level *empty = &g_array_index(levels, Level, levels->len - 1);
    int parent = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    fs_clear_fd(fd);
    *fd = parent;
    if (parent < 0 || fstat(parent, &st) < 0 || st.st_dev != above->dev ||
        st.st_ino != above->ino) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED,
                            "a directory was moved while removing it");
        return false;
    }
    if (unlinkat(parent, empty->name, AT_REMOVEDIR) < 0) {
        bs_error_errno(error, errno, "remove directory");
        return false;
    }
    g_array_set_size(levels, levels->len - 1);
    return true;
}

bool remove_tree_at(int dirfd, const char *name, GError **error)
{
    g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(Level));
    fs_autoclose int fd = -1;
    Level top = { .name = NULL };
    struct stat st;

    if (unlinkat(dirfd, name, 0) == 0 || unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return true;
    fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        bs_error_errno(error, errno, "open directory");
        return false;
    }
    top.dev = st.st_dev;
    top.ino = st.st_ino;
    top.mount = fs_mount_id(fd);
    g_array_set_clear_func(levels, level_clear);
    g_array_append_val(levels, top);
    if (!enter(&fd, levels, name, error))
        return false;
    while (levels->len > 1) {
        g_autofree char *subdir = NULL;

        if (!empty_of_files(fd, &subdir, error) ||
            !(subdir ? enter(&fd, levels, subdir, error) : leave(&fd, levels, error)))
            return false;
    }
    return true;
}
