/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirfile.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/sparse.h"
#include "codec/chunker.h"
#include "codec/hash.h"
#include "flow/dirpatch.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WRITEBACK_MIN                                                                              \
    (128u * 1024) /* small files lie side by side: the kernel gathers them better */

TargetFile *target_file_new(TargetDir *dir, Node *node)
{
    TargetFile *file = g_new0(TargetFile, 1);

    file->dir = target_dir_ref(dir);
    file->node = node;
    file->fd = file->old = -1;
    pthread_mutex_init(&file->mutex, NULL);
    return file;
}

void target_file_free(TargetFile *file)
{
    g_assert(file->fd < 0 && file->old < 0);
    pthread_mutex_destroy(&file->mutex);
    target_dir_unref(file->dir);
    node_free(file->node);
    g_free(file);
}

/* For nobody else to read until its owner and mode are set. */
bool target_file_create(Target *target, TargetFile *file, GError **error)
{
    int dirfd;

    if (file->fd >= 0)
        return true;
    dirfd = target_dir_pin(file->dir, error);
    if (dirfd < 0)
        return false;
    file->temp = target_temp_name(target);
    file->fd =
        openat(dirfd, file->temp.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0)
        bs_error_errno(error, errno, "create");
    target_dir_unpin(file->dir);
    return file->fd >= 0;
}

static bool ensure_created(Target *target, TargetFile *file, uint64_t end, GError **error)
{
    bool ok;

    pthread_mutex_lock(&file->mutex);
    ok = file->delta ? target_patch_begin(target, file, error)
                     : target_file_create(target, file, error);
    file->end = MAX(file->end, end);
    pthread_mutex_unlock(&file->mutex);
    return ok;
}

/* What must be on the disk at the end is sent there while the next blobs are read and decrypted;
 * left to itself the kernel would begin when memory is full. Advice, so errors are not ours: the
 * sync at the end tells them. */
static void start_writeback(int fd, uint64_t offset, size_t len)
{
    if (len >= WRITEBACK_MIN)
        (void)sync_file_range(fd, (off64_t)offset, (off64_t)len, SYNC_FILE_RANGE_WRITE);
}

static Id zero_chunk;

static void find_zero_chunk(void)
{
    g_autofree uint8_t *zeros = g_malloc0(CHUNK_MAX);

    hash_bytes(zeros, CHUNK_MAX, &zero_chunk);
}

bool target_file_has_hole(Target *target, TargetFile *file, uint64_t offset, size_t len,
                          const Id *id, bool *ret_has, GError **error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    // the archiver's own piece of a large hole
    if (!target->options.sparse || file->delta || len != CHUNK_MAX)
        return true;
    (void)pthread_once(&once, find_zero_chunk);
    *ret_has = id_equal(id, &zero_chunk);
    return !*ret_has || ensure_created(target, file, offset + len, error);
}

bool target_file_write(Target *target, TargetFile *file, uint64_t offset, const void *data,
                       size_t len, GError **error)
{
    if (!ensure_created(target, file, offset + len, error))
        return false;
    // where a hole shall be, an old file has bytes
    if (target->options.sparse && !file->delta
            ? !sparse_write(file->fd, data, len, offset, file->node->name, error)
            : !fs_pwrite_all(file->fd, data, len, offset, file->node->name, error))
        return false;
    if (!target->options.no_sync)
        start_writeback(file->fd, offset, len);
    return true;
}

/* A size beyond the content means zeros at the end, a smaller one nothing (repository format,
 * "Trees", Sizes). */
static bool set_length(const Target *target, const TargetFile *file, GError **error)
{
    uint64_t length = MAX(file->end, file->node->size);

    if (length == file->end && !target->options.sparse)
        return true;
    if (length > INT64_MAX) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "a size that no file can have");
        return false;
    }
    if (ftruncate(file->fd, (off_t)length) == 0)
        return true;
    bs_error_errno(error, errno, "set length");
    return false;
}

bool target_file_finish(Target *target, TargetFile *file, struct stat *ret_identity, GError **error)
{
    int dirfd = -1;
    bool ok;

    if (file->delta && target_patch_stays(target, file))
        return target_patch_finish(target, file, ret_identity, error);
    if (!ensure_created(target, file, 0, error) || !set_length(target, file, error)) {
        target_file_drop(file);
        return false;
    }
    target_restore_meta(target, file->dir, file->fd, file->node);
    if (ret_identity)
        (void)fstat(file->fd, ret_identity);
    ok = fs_close(file->fd, file->node->name, error);
    file->fd = -1;
    dirfd = target_dir_pin(file->dir, ok ? error : NULL);
    ok = ok && dirfd >= 0 &&
         target_replace(target, file->dir, dirfd, file->temp.text, file->node->name, error);
    if (dirfd >= 0 && !ok)
        (void)unlinkat(dirfd, file->temp.text, 0);
    if (dirfd >= 0)
        target_dir_unpin(file->dir);
    return ok;
}

void target_file_drop(TargetFile *file)
{
    int dirfd;

    if (file->delta && target_patch_drop(file))
        return;
    dirfd = file->fd >= 0 ? target_dir_pin(file->dir, NULL) : -1;

    if (dirfd >= 0) {
        (void)unlinkat(dirfd, file->temp.text, 0);
        target_dir_unpin(file->dir);
    }
    fs_clear_fd(&file->fd);
}

bool target_file_refresh(const Target *target, TargetFile *file, GError **error)
{
    int dirfd = target_dir_pin(file->dir, error);
    fs_autoclose int fd = -1;
    struct stat st;
    bool ok = false;

    if (dirfd < 0)
        return false;
    fd = fs_open_beneath(dirfd, file->node->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, error);
    target_dir_unpin(file->dir);
    if (fd < 0)
        return false;
    ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
    if (ok)
        target_restore_meta(target, file->dir, fd, file->node);
    else
        g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED,
                            "was replaced while it was looked at");
    return ok;
}
