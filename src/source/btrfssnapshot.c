/* SPDX-License-Identifier: Apache-2.0 */
#include "source/btrfssnapshot.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#define PREFIX     ".backstay-snapshot-"
#define DIGITS     16u
#define ROOT_INODE 256u /* of the root of each subvolume: BTRFS_FIRST_FREE_OBJECTID */

struct BtrfsSnapshot {
    int parent, fd; /* the root of the subvolume, and the snapshot in it */
    char *root, *name;
};

static bool is_root(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && st->st_ino == ROOT_INODE;
}

char *btrfs_subvolume_root(const char *real)
{
    g_autofree char *at = g_strdup(real);
    struct statfs fs;
    struct stat st;
    dev_t device;

    if (statfs(real, &fs) != 0 || (unsigned long)fs.f_type != BTRFS_SUPER_MAGIC ||
        stat(real, &st) != 0)
        return NULL;
    // a directory that is mounted somewhere else has no way up to the root
    for (device = st.st_dev; st.st_dev == device && !is_root(&st);) {
        char *above = g_path_get_dirname(at);

        g_free(at);
        at = above;
        if (strcmp(at, "/") == 0 || stat(at, &st) != 0)
            break;
    }
    return st.st_dev == device && is_root(&st) ? g_steal_pointer(&at) : NULL;
}

/* ---- what killed runs left ---- */

static bool is_our_name(const char *name)
{
    return g_str_has_prefix(name, PREFIX) && strlen(name) == strlen(PREFIX) + DIGITS &&
           strspn(name + strlen(PREFIX), "0123456789abcdef") == DIGITS;
}

static bool destroy(int parent, const char *name)
{
    struct btrfs_ioctl_vol_args args = { .fd = 0 };

    g_strlcpy(args.name, name, sizeof args.name);
    return ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &args) == 0;
}

/* A read-only subvolume of our name that nobody holds. */
static void remove_if_left(int parent, const char *name)
{
    fs_autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t flags = 0;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && is_root(&st) &&
        ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 && (flags & BTRFS_SUBVOL_RDONLY) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)destroy(parent, name); // the next run tries again
}

static void remove_left(const char *root, int parent)
{
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        if (is_our_name(name))
            remove_if_left(parent, name);
}

/* ---- ours ---- */

static bool create(BtrfsSnapshot *snapshot, GError **error)
{
    struct btrfs_ioctl_vol_args_v2 args = { .fd = snapshot->parent, .flags = BTRFS_SUBVOL_RDONLY };

    g_strlcpy(args.name, snapshot->name, sizeof args.name);
    if (ioctl(snapshot->parent, BTRFS_IOC_SNAP_CREATE_V2, &args) != 0) {
        bs_error_errno(error, errno, "%s: snapshot of the subvolume", snapshot->root);
        return false;
    }
    snapshot->fd =
        openat(snapshot->parent, snapshot->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (snapshot->fd >= 0 && flock(snapshot->fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    bs_error_errno(error, errno, "%s/%s", snapshot->root, snapshot->name);
    return false;
}

/* Under a lock of the root: what is made and not yet held would look as if it were left. */
static bool replace_left(BtrfsSnapshot *snapshot, GError **error)
{
    bool ok;

    if (flock(snapshot->parent, LOCK_EX) != 0) {
        bs_error_errno(error, errno, "%s: lock", snapshot->root);
        return false;
    }
    remove_left(snapshot->root, snapshot->parent);
    ok = create(snapshot, error);
    (void)flock(snapshot->parent, LOCK_UN);
    return ok;
}

BtrfsSnapshot *btrfs_snapshot_new(const char *root, GError **error)
{
    BtrfsSnapshot *snapshot = g_new0(BtrfsSnapshot, 1);

    snapshot->fd = -1;
    snapshot->root = g_strdup(root);
    snapshot->name = g_strdup_printf(PREFIX "%08x%08x", g_random_int(), g_random_int());
    snapshot->parent = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (snapshot->parent < 0)
        bs_error_errno(error, errno, "open %s", root);
    else if (replace_left(snapshot, error))
        return snapshot;
    (void)btrfs_snapshot_remove(snapshot, NULL);
    return NULL;
}

int btrfs_snapshot_fd(const BtrfsSnapshot *snapshot)
{
    return snapshot->fd;
}

bool btrfs_snapshot_remove(BtrfsSnapshot *snapshot, GError **error)
{
    bool ok = true;

    if (!snapshot)
        return true;
    if (snapshot->parent >= 0 && !destroy(snapshot->parent, snapshot->name) && errno != ENOENT) {
        bs_error_errno(error, errno, "%s/%s: a snapshot that could not be removed", snapshot->root,
                       snapshot->name);
        ok = false;
    }
    fs_clear_fd(&snapshot->fd);
    fs_clear_fd(&snapshot->parent);
    g_free(snapshot->root);
    g_free(snapshot->name);
    g_free(snapshot);
    return ok;
}
