/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumeread.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ALIGNED 4096u /* what every device takes for O_DIRECT */

struct VolumeRead {
    int fd;
    const char *name;
    uint64_t size, offset;
    uint64_t data_at; /* nothing but a hole before */
    bool has_holes;
    uint8_t *buffer;
};

/* Where it cannot be turned off the cache is emptied, if we may. */
static void pass_by_cache(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISBLK(st.st_mode))
        return;
    (void)ioctl(fd, BLKFLSBUF, 0);
    (void)fcntl(fd, F_SETFL, flags | O_DIRECT);
}

VolumeRead *volume_read_new(int fd, uint64_t size, const char *name)
{
    VolumeRead *read = g_new0(VolumeRead, 1);
    struct stat st;

    read->fd = fd;
    read->name = name;
    read->size = size;
    read->has_holes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    read->buffer = aligned_alloc(ALIGNED, VOLUME_STEP);
    g_assert(read->buffer);
    pass_by_cache(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return read;
}

void volume_read_free(VolumeRead *read)
{
    if (!read)
        return;
    free(read->buffer);
    g_free(read);
}

uint64_t volume_read_holes(const VolumeRead *read)
{
    struct stat st;

    if (!read->has_holes || fstat(read->fd, &st) != 0)
        return 0;
    return read->size - MIN((uint64_t)st.st_blocks * 512, read->size);
}

/* Whether the step at the offset is in a hole; *ret_len: to where, whole steps. */
static bool in_hole(VolumeRead *read, uint64_t end, uint64_t *ret_len, GError **error)
{
    if (read->has_holes && read->data_at <= read->offset) {
        off_t at = lseek(read->fd, (off_t)read->offset, SEEK_DATA);

        if (at < 0 && errno == EINVAL)
            read->has_holes = false; // a file system that does not tell
        else if (at < 0 && errno != ENXIO) {
            bs_error_errno(error, errno, "%s: look for holes", read->name);
            return false;
        } else
            read->data_at = at < 0 ? read->size : (uint64_t)at;
    }
    *ret_len = 0;
    if (read->data_at >= end)
        *ret_len = end - read->offset;
    else if (read->data_at > read->offset)
        *ret_len = (read->data_at - read->offset) / VOLUME_STEP * VOLUME_STEP;
    return true;
}

static bool read_step(VolumeRead *read, size_t len, GError **error)
{
    size_t got;

    if (!fs_pread_full(read->fd, read->buffer, len, read->offset, &got, read->name, error)) {
        g_prefix_error(error, "at byte %" G_GUINT64_FORMAT ": ", read->offset);
        return false;
    }
    if (got == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "%s: it ends at byte %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                "; somebody made it shorter meanwhile",
                read->name, read->offset + got, read->size);
    return false;
}

bool volume_read_head(VolumeRead *read, const uint8_t **ret_head, size_t *ret_len, GError **error)
{
    *ret_head = read->buffer;
    return fs_pread_full(read->fd, read->buffer, (size_t)MIN(read->size, VOLUME_STEP), 0, ret_len,
                         read->name, error);
}

bool volume_read_next(VolumeRead *read, uint64_t limit, const uint8_t **ret_data, uint64_t *ret_len,
                      GError **error)
{
    uint64_t end = MIN(read->size, (read->offset / limit + 1) * limit), len;

    g_assert(limit % VOLUME_STEP == 0);
    if (!in_hole(read, end, &len, error))
        return false;
    *ret_data = NULL;
    if (len == 0 && read->offset < end) {
        len = MIN(end - read->offset, VOLUME_STEP);
        if (!read_step(read, (size_t)len, error))
            return false;
        *ret_data = volume_is_zero(read->buffer, (size_t)len) ? NULL : read->buffer;
    }
    read->offset += len;
    *ret_len = len;
    return true;
}

bool volume_is_zero(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}
