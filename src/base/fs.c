/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/id.h"

#define READ_STEP     4096 /* first buffer for a file that does not tell its size, such as a pipe */
#define BENEATH_TRIES 1000 /* the kernel gives up on ".." while anything is renamed; openat2(2) */

/* Marks a position that moves with the descriptor. */
#define NO_OFFSET UINT64_MAX

static ssize_t write_some(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    return offset == NO_OFFSET ? write(fd, data, len) : pwrite(fd, data, len, (off_t)offset);
}

static ssize_t read_some(int fd, uint8_t *buf, size_t len, uint64_t offset)
{
    return offset == NO_OFFSET ? read(fd, buf, len) : pread(fd, buf, len, (off_t)offset);
}

static bool write_loop(int fd, const uint8_t *data, size_t len, uint64_t offset, const char *name,
                       GError **error)
{
    while (len > 0) {
        ssize_t n = write_some(fd, data, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            bs_error_errno(error, n < 0 ? errno : EIO, "write %s", name);
            return false;
        }
        data += n;
        len -= (size_t)n;
        if (offset != NO_OFFSET)
            offset += (uint64_t)n;
    }
    return true;
}

static bool read_loop(int fd, uint8_t *buf, size_t len, uint64_t offset, size_t *ret_len,
                      const char *name, GError **error)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n =
            read_some(fd, buf + done, len - done, offset == NO_OFFSET ? offset : offset + done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            bs_error_errno(error, errno, "read %s", name);
            return false;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_len = done;
    return true;
}

static bool is_offset(uint64_t offset, size_t len, const char *name, GError **error)
{
    if (offset <= INT64_MAX && len <= INT64_MAX - offset)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: no file is as large as %" G_GUINT64_FORMAT,
                name, offset);
    return false;
}

bool fs_write_all(int fd, const void *data, size_t len, const char *name, GError **error)
{
    return write_loop(fd, data, len, NO_OFFSET, name, error);
}

bool fs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset, const char *name,
                   GError **error)
{
    return is_offset(offset, len, name, error) && write_loop(fd, data, len, offset, name, error);
}

bool fs_read_full(int fd, void *buf, size_t len, size_t *ret_len, const char *name, GError **error)
{
    return read_loop(fd, buf, len, NO_OFFSET, ret_len, name, error);
}

bool fs_pread_full(int fd, void *buf, size_t len, uint64_t offset, size_t *ret_len,
                   const char *name, GError **error)
{
    return is_offset(offset, len, name, error) &&
           read_loop(fd, buf, len, offset, ret_len, name, error);
}

bool fs_read_file(const char *path, size_t bound, GBytes **ret_bytes, GError **error)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    g_autofree uint8_t *buf = NULL;
    size_t len = 0, got = 0, room;
    struct stat st;

    g_assert(bound < SIZE_MAX / 2);
    if (fd < 0 || fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    // one byte more than there should be: the read that ends short has seen the end
    room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)MIN((uint64_t)st.st_size, bound) + 1
                                                 : MIN(READ_STEP, bound + 1);
    for (;;) {
        uint8_t *larger = g_try_realloc(buf, room);

        if (!larger) {
            bs_error_errno(error, ENOMEM, "read %s", path);
            return false;
        }
        buf = larger;
        if (!fs_read_full(fd, buf + len, room - len, &got, path, error))
            return false;
        len += got;
        if (len < room)
            break;
        if (len > bound) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: larger than %zu bytes", path,
                        bound);
            return false;
        }
        room = MIN(2 * room, bound + 1);
    }
    *ret_bytes = g_bytes_new_take(g_steal_pointer(&buf), len);
    return true;
}

/* Some network file systems know no fsync of a directory; then there is nothing more we can do. */
bool fs_sync_dir_fd(int dirfd, const char *path, GError **error)
{
    if (fsync(dirfd) == 0 || errno == EINVAL || errno == EOPNOTSUPP)
        return true;
    bs_error_errno(error, errno, "fsync %s", path);
    return false;
}

static int open_dir(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        bs_error_errno(error, errno, "open %s", path);
    return fd;
}

bool fs_sync_dir(const char *path, GError **error)
{
    fs_autoclose int fd = open_dir(path, error);

    return fd >= 0 && fs_sync_dir_fd(fd, path, error);
}

static char *temporary_name(const char *base)
{
    uint64_t random;

    random_bytes(&random, sizeof random);
    return g_strdup_printf("%s-tmp-%016" G_GINT64_MODIFIER "x", base, random);
}

/* The temporary file, whole and (unless unsynced) on the disk, but under its temporary name. */
static bool fill_temporary(int dirfd, const char *temporary, FsFill fill, void *user, mode_t mode,
                           FsWrite how, const char *path, GError **error)
{
    fs_autoclose int fd =
        openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        bs_error_errno(error, errno, "create %s", path);
        return false;
    }
    if (!fill(fd, user, error))
        return false;
    if (fchmod(fd, mode) != 0) {
        bs_error_errno(error, errno, "chmod %s", path);
        return false;
    }
    if (how != FS_UNSYNCED && fsync(fd) != 0) {
        bs_error_errno(error, errno, "fsync %s", path);
        return false;
    }
    return fs_close(g_steal_fd(&fd), path, error);
}

/* Gives the temporary file its name: 0, or -1 with errno. */
static int give_name(int dirfd, const char *temporary, const char *base, FsWrite how)
{
    if (how != FS_IF_ABSENT)
        return renameat(dirfd, temporary, dirfd, base);
    // one step that leaves nothing behind; NFS and older FUSE do not have it, but have links
    if (renameat2(dirfd, temporary, dirfd, base, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(dirfd, temporary, dirfd, base, 0) != 0)
        return -1;
    (void)unlinkat(dirfd, temporary, 0); // a second name does no harm
    return 0;
}

bool fs_fill_durable_at(int dirfd, const char *name, const char *path, FsFill fill, void *user,
                        mode_t mode, FsWrite how, GError **error)
{
    g_autofree char *temporary = temporary_name(name);

    if (!fill_temporary(dirfd, temporary, fill, user, mode, how, path, error)) {
        (void)unlinkat(dirfd, temporary, 0);
        return false;
    }
    if (give_name(dirfd, temporary, name, how) != 0) {
        int errnum = errno;

        (void)unlinkat(dirfd, temporary, 0);
        // whoever takes "it exists" for "it is safe" shall be right, even if the other writer dies
        // now
        if (errnum == EEXIST && !fs_sync_dir_fd(dirfd, path, error))
            return false;
        bs_error_errno(error, errnum, "create %s", path);
        return false;
    }
    return how == FS_UNSYNCED || fs_sync_dir_fd(dirfd, path, error);
}

typedef struct {
    const void *data;
    size_t len;
    const char *path;
} Memory;

static bool fill_from_memory(int fd, void *user, GError **error)
{
    const Memory *memory = user;

    return fs_write_all(fd, memory->data, memory->len, memory->path, error);
}

bool fs_write_durable_at(int dirfd, const char *name, const char *path, const void *data,
                         size_t len, mode_t mode, FsWrite how, GError **error)
{
    Memory memory = { data, len, path };

    return fs_fill_durable_at(dirfd, name, path, fill_from_memory, &memory, mode, how, error);
}

bool fs_write_durable(const char *path, const void *data, size_t len, mode_t mode, FsWrite how,
                      GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    fs_autoclose int dirfd = open_dir(dir, error);

    return dirfd >= 0 && fs_write_durable_at(dirfd, name, path, data, len, mode, how, error);
}

bool fs_make_dirs(const char *path, mode_t mode, GError **error)
{
    if (g_mkdir_with_parents(path, (int)mode) == 0)
        return true;
    bs_error_errno(error, errno, "mkdir %s", path);
    return false;
}

int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode, GError **error)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0, // any other mode is EINVAL
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    long fd;
    unsigned tries = 0;

    do
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < BENEATH_TRIES);
    if (fd >= 0)
        return (int)fd;
    if (errno == EXDEV || errno == ELOOP)
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "open %s: the path leads outside its directory or through a link", path);
    else if (errno == ENOSYS)
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "open %s: openat2(2) is not there; it needs Linux 5.6 and a sandbox that lets "
                    "it through (in a unit of systemd no RestrictSUIDSGID=yes)",
                    path);
    else
        bs_error_errno(error, errno, "open %s", path);
    return -1;
}

uint64_t fs_mount_id(int fd)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID))
        return 0;
    return stx.stx_mnt_id;
}

bool fs_close(int fd, const char *name, GError **error)
{
    // Linux has closed the descriptor even then; close(2), "Dealing with error returns"
    if (close(fd) == 0 || errno == EINTR)
        return true;
    bs_error_errno(error, errno, "close %s", name);
    return false;
}

bool fs_dir_is_empty(const char *path, bool *ret_empty, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &failure);
    const char *name;
    bool empty = true;

    if (!dir && !g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s", failure->message);
        return false;
    }
    while (dir && (name = g_dir_read_name(dir)))
        empty = empty && strcmp(name, "lost+found") == 0;
    *ret_empty = empty;
    return true;
}
