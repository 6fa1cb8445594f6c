/* SPDX-License-Identifier: Apache-2.0 */
#include "source/filecopy.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/filemeta.h"
#include <errno.h>
#include <unistd.h>

static void report(const FileCopy *copy, const char *path, GError *problem)
{
    copy->run->problem(path, problem, copy->run->user);
    g_error_free(problem);
}

static bool describe(const FileCopy *copy, FileJob *job, int fd, struct stat *ret_st,
                     GError **error)
{
    if (fstat(fd, ret_st) != 0) {
        bs_error_errno(error, errno, "stat");
        return false;
    }
    if (!S_ISREG(ret_st->st_mode) || ret_st->st_ino != job->node->inode) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "was replaced by something else before it was read");
        return false;
    }
    node_update_from_stat(job->node, ret_st, copy->with_atime);
    return node_read_xattrs_fd(job->node, fd, error);
}

/* Where data goes on at or after offset; the file's end when there is none. */
static off_t next_data(int fd, off_t offset)
{
    off_t data = lseek(fd, offset, SEEK_DATA);
    struct stat st;

    if (data >= 0)
        return data;
    if (errno != ENXIO) // ENXIO: only a hole from here on
        return offset;
    return fstat(fd, &st) == 0 ? MAX(offset, st.st_size) : offset;
}

typedef enum { COPIED, SOURCE_FAILED, SINK_FAILED } CopyResult;

/* Reads to the end of the file, wherever that is by now; *ret_size is what was read. */
static CopyResult copy_content(const FileCopy *copy, FileJob *job, int fd, const struct stat *st,
                               uint8_t *buffer, uint64_t *ret_size, GError **error)
{
    bool sparse = st->st_size > 0 && st->st_blocks < st->st_size / 512;
    uint64_t offset = 0;

    for (;;) {
        size_t n;

        if (sparse)
            offset = (uint64_t)next_data(fd, (off_t)offset);
        if (!fs_pread_full(fd, buffer, FILE_READ_SIZE, offset, &n, "content", error))
            return SOURCE_FAILED;
        if (n == 0)
            break;
        if (!sink_write(copy->sink, job->handle, offset, buffer, n, error))
            return SINK_FAILED;
        offset += n;
        if (n < FILE_READ_SIZE)
            break;
        if (!cancel_check(copy->run->cancel, error))
            return SINK_FAILED;
    }
    *ret_size = offset;
    return COPIED;
}

static bool changed_meanwhile(int fd, const struct stat *before, uint64_t size)
{
    struct stat after;

    return fstat(fd, &after) != 0 || (uint64_t)after.st_size != size ||
           after.st_size != before->st_size || after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           after.st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
           after.st_ctim.tv_sec != before->st_ctim.tv_sec ||
           after.st_ctim.tv_nsec != before->st_ctim.tv_nsec;
}

bool file_copy(void *user, FileJob *job, uint8_t *buffer, GError **error)
{
    const FileCopy *copy = user;
    fs_autoclose int fd = -1;
    GError *problem = NULL;
    CopyResult result;
    uint64_t size = 0;
    struct stat st;

    fd = file_job_open(job, &problem);
    if (fd < 0 || !describe(copy, job, fd, &st, &problem)) {
        sink_abandon(copy->sink, job->handle);
        report(copy, job->path, problem);
        return true;
    }
    result = copy_content(copy, job, fd, &st, buffer, &size, &problem);
    if (result != COPIED) {
        sink_abandon(copy->sink, job->handle);
        if (result == SOURCE_FAILED)
            report(copy, job->path, problem);
        else
            g_propagate_error(error, problem);
        return result == SOURCE_FAILED;
    }
    if (changed_meanwhile(fd, &st, size))
        report(copy, job->path,
               g_error_new(BS_ERROR, BS_ERROR_PARTIAL,
                           "changed while it was read; what was read is stored"));
    job->node->size = size;
    return sink_end(copy->sink, job->handle, job->node, error);
}
