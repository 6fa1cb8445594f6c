/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GLib lacks for files: full reads and writes, durable atomic writes, and opening a path that
 * cannot leave a directory. Every function may be called from any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Repeats over EINTR and short counts. name is only for the error text. */
bool fs_write_all(int fd, const void *data, size_t len, const char *name, GError **error);
bool fs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset, const char *name,
                   GError **error);
/* Reads up to len bytes, fewer only at the end of the file. */
bool fs_read_full(int fd, void *buf, size_t len, size_t *ret_len, const char *name, GError **error);
bool fs_pread_full(int fd, void *buf, size_t len, uint64_t offset, size_t *ret_len,
                   const char *name, GError **error);

/* The whole file, refused with BS_ERROR_CORRUPT when it is larger than bound. */
bool fs_read_file(const char *path, size_t bound, GBytes **ret_bytes, GError **error);

typedef enum {
    FS_REPLACE,   /* rename over an existing file */
    FS_IF_ABSENT, /* BS_ERROR_EXISTS when there is one, and it stays as it is */
    FS_UNSYNCED,  /* replaces, atomic but not durable: after a power loss it may be gone or cut */
} FsWrite;

/*
 * Writes path atomically and durably: temporary file "<name>-tmp-<random>" in the same directory,
 * fsync, rename, fsync of the directory; the file ends with mode. On failure nothing of it is left,
 * but for the one case that the last fsync fails: the name is there then, and somebody may rely on
 * it. EIO from fsync is final: the file is removed, never fsynced again. What BS_ERROR_EXISTS tells
 * of is durable too, if it was written by this function.
 */
bool fs_write_durable(const char *path, const void *data, size_t len, mode_t mode, FsWrite how,
                      GError **error);
/* The same in an open directory: name is one component, path is only for the error text. */
bool fs_write_durable_at(int dirfd, const char *name, const char *path, const void *data,
                         size_t len, mode_t mode, FsWrite how, GError **error);
/* The same for what is not in memory: fill writes it to fd. */
typedef bool (*FsFill)(int fd, void *user, GError **error);
bool fs_fill_durable_at(int dirfd, const char *name, const char *path, FsFill fill, void *user,
                        mode_t mode, FsWrite how, GError **error);
bool fs_sync_dir(const char *path, GError **error);
bool fs_sync_dir_fd(int dirfd, const char *path, GError **error);

/* mkdir -p with mode (less the umask) for what is created; what exists is left alone. Not synced:
 * before a file in a new directory counts as durable, fs_sync_dir() its parents. */
bool fs_make_dirs(const char *path, mode_t mode, GError **error);

/* Whether nothing lies in it, but for the lost+found at the root of a file system. What is not
 * there is empty. */
bool fs_dir_is_empty(const char *path, bool *ret_empty, GError **error);

/*
 * Opens path below the directory dirfd with openat2: RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, so
 * neither "..", an absolute path nor a link leads out. flags as for open(2); O_CLOEXEC is added.
 * Returns -1 with error set on failure.
 */
int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode, GError **error);

/* Which mount fd lies on; 0 when the kernel does not say (before 5.8). Two of one file system
 * differ. */
uint64_t fs_mount_id(int fd);

/* close(2) whose error counts, for files that were written. */
bool fs_close(int fd, const char *name, GError **error);

static inline void fs_clear_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}
/* fs_autoclose int fd = -1; */
#define fs_autoclose __attribute__((cleanup(fs_clear_fd)))
