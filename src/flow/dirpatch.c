/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirpatch.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/sparse.h"
#include "codec/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_STEP (256u * 1024)

/* ---- the file that lies there ---- */

static bool may_patch(const Node *node, const struct stat *st)
{
    bool owner = geteuid() == 0 ? st->st_uid == node->uid && st->st_gid == node->gid
                                : st->st_uid == geteuid();

    return st->st_nlink == 1 && owner && (st->st_mode & 07777 & ~node->mode) == 0 &&
           !(st->st_mode & (S_ISUID | S_ISGID));
}

/* -1: it serves for nothing. */
static int open_old(int dirfd, const char *name, bool dry_run, bool *ret_writable)
{
    int fd = dry_run ? -1 : fs_open_beneath(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, NULL);

    *ret_writable = fd >= 0;
    return fd >= 0 ? fd : fs_open_beneath(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
}

/* Decides what becomes of it. */
static bool look(Target *target, TargetFile *file, GError **error)
{
    bool dry_run = target->options.dry_run, writable;
    int dirfd;

    if (file->use != OLD_UNKNOWN)
        return true;
    dirfd = target_dir_pin(file->dir, error);
    if (dirfd < 0)
        return false;
    file->use = OLD_UNUSED;
    file->old = open_old(dirfd, file->node->name, dry_run, &writable);
    target_dir_unpin(file->dir);
    if (file->old < 0)
        return true;
    if (fstat(file->old, &file->old_st) < 0 || !S_ISREG(file->old_st.st_mode)) {
        fs_clear_fd(&file->old);
        return true;
    }
    if (dry_run) {
        file->use = OLD_SEEN;
        return true;
    }
    file->use = writable && may_patch(file->node, &file->old_st) ? OLD_PATCHED : OLD_COPIED;
    return file->use == OLD_PATCHED || target_file_create(target, file, error);
}

/* ---- ranges ---- */

static bool copy_over(const Target *target, TargetFile *file, const void *data, size_t len,
                      uint64_t offset, GError **error)
{
    const char *name = file->node->name;

    return file->use != OLD_COPIED ||
           (target->options.sparse ? sparse_write(file->fd, data, len, offset, name, error)
                                   : fs_pwrite_all(file->fd, data, len, offset, name, error));
}

/* What turns out to be different was copied in vain: the right bytes come over it. */
static bool compare(const Target *target, TargetFile *file, uint64_t offset, size_t len,
                    const Id *id, bool *ret_same, GError **error)
{
    g_autofree uint8_t *buf = g_malloc(MIN(len, READ_STEP));
    g_autoptr(Hash) hash = hash_new();
    Id found;

    *ret_same = false;
    while (len > 0) {
        size_t step = MIN(len, READ_STEP), got = 0;

        // a disk that cannot read a block any more may take a new one
        if (!fs_pread_full(file->old, buf, step, offset, &got, file->node->name, NULL) ||
            got < step)
            return true;
        if (!copy_over(target, file, buf, step, offset, error))
            return false;
        hash_update(hash, buf, step);
        offset += step;
        len -= step;
    }
    hash_final(hash, &found);
    *ret_same = id_equal(&found, id);
    return true;
}

/* Whether there is something to compare with. */
static bool prepare(Target *target, TargetFile *file, uint64_t end, bool *ret_there, GError **error)
{
    bool ok;

    pthread_mutex_lock(&file->mutex);
    ok = look(target, file, error);
    *ret_there =
        ok && file->use != OLD_UNUSED && !file->renewed && end <= (uint64_t)file->old_st.st_size;
    pthread_mutex_unlock(&file->mutex);
    return ok;
}

bool target_patch_has(Target *target, TargetFile *file, uint64_t offset, size_t len, const Id *id,
                      bool *ret_has, GError **error)
{
    bool there, same = false;

    if (!prepare(target, file, offset + len, &there, error) ||
        (there && !compare(target, file, offset, len, id, &same, error)))
        return false;
    pthread_mutex_lock(&file->mutex);
    same = same && !file->renewed;
    if (same) {
        file->held = true;
        file->end = MAX(file->end, offset + len);
    } else if (file->use == OLD_SEEN) {
        file->differs = true;
    } else if (!file->held && !file->differs && offset == 0 && len >= file->node->size) {
        file->renewed = true;
    }
    pthread_mutex_unlock(&file->mutex);
    *ret_has = same;
    return true;
}

/* ---- the file ---- */

bool target_patch_begin(Target *target, TargetFile *file, GError **error)
{
    if (!look(target, file, error))
        return false;
    if (file->use != OLD_PATCHED || file->renewed) {
        file->differs = true;
        return target_file_create(target, file, error);
    }
    if (file->differs)
        return true;
    if (fchmod(file->old, 0600) < 0) {
        bs_error_errno(error, errno, "take it from others while it is written");
        return false;
    }
    file->fd = file->old;
    file->differs = true;
    return true;
}

bool target_patch_stays(Target *target, TargetFile *file)
{
    if (look(target, file, NULL) && file->use == OLD_PATCHED && !file->renewed)
        return true;
    fs_clear_fd(&file->old);
    return false;
}

static bool unchanged_meanwhile(const TargetFile *file, GError **error)
{
    struct stat st;

    if (fstat(file->old, &st) == 0 && st.st_size == file->old_st.st_size &&
        st.st_mtim.tv_sec == file->old_st.st_mtim.tv_sec &&
        st.st_mtim.tv_nsec == file->old_st.st_mtim.tv_nsec)
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED,
                        "somebody wrote to it while it was compared; stop that and restore again");
    return false;
}

static uint64_t final_length(const TargetFile *file)
{
    return MAX(file->end, file->node->size);
}

/* What lies behind the content is zeros: a hole is made there. */
static bool set_length(TargetFile *file, GError **error)
{
    uint64_t length = final_length(file), old_len = (uint64_t)file->old_st.st_size;

    if (length == old_len && length == file->end)
        return true;
    if (length > INT64_MAX) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "a size that no file can have");
        return false;
    }
    file->differs = file->differs || length != old_len;
    if ((old_len <= file->end || ftruncate(file->old, (off_t)file->end) == 0) &&
        ftruncate(file->old, (off_t)length) == 0)
        return true;
    bs_error_errno(error, errno, "set length");
    return false;
}

bool target_patch_finish(Target *target, TargetFile *file, struct stat *ret_identity,
                         GError **error)
{
    bool ok = (file->differs || unchanged_meanwhile(file, error)) && set_length(file, error);

    if (ok)
        target_restore_meta(target, file->dir, file->old, file->node);
    if (ok && ret_identity)
        (void)fstat(file->old, ret_identity);
    ok = fs_close(file->old, file->node->name, ok ? error : NULL) && ok;
    file->fd = file->old = -1;
    return ok;
}

void target_patch_seen(Target *target, TargetFile *file)
{
    (void)look(target, file, NULL);
    file->differs = file->differs || file->use != OLD_SEEN ||
                    final_length(file) != (uint64_t)file->old_st.st_size;
    fs_clear_fd(&file->old);
}

bool target_patch_drop(TargetFile *file)
{
    bool alone = file->fd < 0 || file->fd == file->old;

    fs_clear_fd(&file->old);
    if (alone)
        file->fd = -1;
    return alone;
}
