/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/scratch.h"

#include "base/error.h"
#include "base/fs.h"
#include "flow/dirremove.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#define PREFIX  "backstay-scratch-"
#define SUFFIX  "XXXXXX"
#define TRY_MAX 16

struct Scratch {
    int parent, fd; /* fd holds the lock */
    char *path;
};

/* A directory of that name in parent, ours and locked by us; -1: it is not, or in use. */
static int take(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat open_st, named_st;

    // between opening and locking somebody else may have removed it
    if (fd >= 0 && fstat(fd, &open_st) == 0 && open_st.st_uid == geteuid() &&
        (open_st.st_mode & 0777) == 0700 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        fstatat(parent, name, &named_st, AT_SYMLINK_NOFOLLOW) == 0 &&
        named_st.st_dev == open_st.st_dev && named_st.st_ino == open_st.st_ino)
        return fd;
    fs_clear_fd(&fd);
    return -1;
}

static bool is_named_so(const char *name)
{
    return g_str_has_prefix(name, PREFIX) && strlen(name) == strlen(PREFIX SUFFIX);
}

/* What cannot be looked at or removed is no reason to do without a directory of our own. */
static void sweep(int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir)
        fs_clear_fd(&fd);
    for (struct dirent *item; dir && (item = readdir(dir));) {
        fs_autoclose int old = is_named_so(item->d_name) ? take(parent, item->d_name) : -1;

        if (old >= 0)
            (void)remove_tree_at(parent, item->d_name, NULL);
    }
    if (dir)
        (void)closedir(dir); // it was only read
}

/* Somebody else may sweep it away before it is locked. */
static bool make(Scratch *scratch, const char *parent, GError **error)
{
    for (int i = 0; i < TRY_MAX; i++) {
        g_autofree char *path = g_build_filename(parent, PREFIX SUFFIX, NULL);

        if (!mkdtemp(path)) { // 0700
            bs_error_errno(error, errno, "make a directory in %s", parent);
            return false;
        }
        scratch->fd = take(scratch->parent, strrchr(path, '/') + 1);
        if (scratch->fd >= 0) {
            scratch->path = g_steal_pointer(&path);
            return true;
        }
        (void)rmdir(path); // most likely it is gone
    }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "%s: directories there cannot be locked; choose another file system", parent);
    return false;
}

Scratch *scratch_new(const char *parent, GError **error)
{
    g_autoptr(Scratch) scratch = g_new0(Scratch, 1);

    scratch->fd = -1;
    scratch->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (scratch->parent < 0) {
        bs_error_errno(error, errno, "open %s", parent);
        return NULL;
    }
    sweep(scratch->parent);
    return make(scratch, parent, error) ? g_steal_pointer(&scratch) : NULL;
}

bool scratch_remove(Scratch *scratch, GError **error)
{
    g_autofree char *path = g_steal_pointer(&scratch->path);

    return !path || remove_tree_at(scratch->parent, strrchr(path, '/') + 1, error);
}

void scratch_free(Scratch *scratch)
{
    if (!scratch)
        return;
    (void)scratch_remove(scratch, NULL); // what is left the next one finds
    fs_clear_fd(&scratch->fd);
    fs_clear_fd(&scratch->parent);
    g_free(scratch);
}

const char *scratch_path(const Scratch *scratch)
{
    return scratch->path;
}

bool scratch_check_room(const Scratch *scratch, uint64_t need, GError **error)
{
    g_autofree char *want = NULL, *have = NULL;
    struct statvfs fs;
    uint64_t room;

    if (fstatvfs(scratch->fd, &fs) != 0) {
        bs_error_errno(error, errno, "statvfs %s", scratch->path);
        return false;
    }
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= need)
        return true;
    want = g_format_size_full(need, G_FORMAT_SIZE_IEC_UNITS);
    have = g_format_size_full(room, G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE, "%s: needs about %s, and has %s free",
                scratch->path, want, have);
    return false;
}
