/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumetarget.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/volumeread.h"
#include "source/volumeuse.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#define PROBES    512u
#define PROBE_LEN 4096u

/* ---- in use ---- */

static bool refuse_use(const VolumeDevice *device, GError **error)
{
    g_autoptr(VolumeUse) use = NULL;
    g_autofree char *text = NULL;

    if (!volume_use_find(&device->st, &use, error))
        return false;
    text = volume_use_text(use);
    if (!text)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "%s is in use: %s; unmount and detach it first",
                device->path, text);
    return false;
}

/* The kernel's word, wherever it is mounted: a device is opened alone, a file must be open nowhere
 * else (fcntl(2), "Leases"). Two restores exclude each other by flock. */
static bool take_alone(VolumeDevice *device, GError **error)
{
    VolumeDevice alone;

    if (device->block) {
        if (!volume_device_open(device->path, O_RDWR | O_EXCL, &alone, error)) {
            g_prefix_error(error, "the target: ");
            return false;
        }
        volume_device_close(device);
        *device = alone;
    } else if (flock(device->fd, LOCK_EX | LOCK_NB) < 0 ||
               (fcntl(device->fd, F_SETLEASE, F_WRLCK) < 0 && errno == EAGAIN)) {
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "%s is in use: a process has it open; end that first", device->path);
        return false;
    } else {
        (void)fcntl(device->fd, F_SETLEASE, F_UNLCK);
    }
    return true;
}

/* ---- what it holds ---- */

/* Looks all over what would be written: a member of a RAID array may have its mark at the end, and
 * raw data need not begin at the beginning. A few scattered sectors may still be missed. */
static bool look_for_data(const VolumePlace *place, uint64_t size, bool *ret_blank, GError **error)
{
    const uint64_t last = size > PROBE_LEN ? size - PROBE_LEN : 0;
    uint8_t probe[PROBE_LEN];
    bool blank = volume_is_zero(place->head, place->head_len);

    for (uint64_t i = 0; blank && i < PROBES; i++) {
        size_t len;

        if (!fs_pread_full(place->device.fd, probe, (size_t)MIN(size, sizeof probe),
                           last * i / (PROBES - 1), &len, place->device.path, error))
            return false;
        blank = volume_is_zero(probe, len);
    }
    *ret_blank = blank;
    return true;
}

static bool refuse_data(const VolumePlace *place, const VolumeTarget *target, GError **error)
{
    VolumeHead found;
    bool blank;

    volume_head_look(place->head, place->head_len, &found);
    if (target->force || place->unfinished || volume_head_same(&found, &target->content))
        return true;
    if (!look_for_data(place, target->size, &blank, error))
        return false;
    if (blank)
        return true;
    if (found.type)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "%s holds another volume: %s %s%s%s; --force overwrites it", place->device.path,
                    found.type, found.uuid, *found.label ? " " : "", found.label);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "%s holds data that is not known to be of this volume; --force overwrites it",
                    place->device.path);
    return false;
}

static bool look(VolumePlace *place, const VolumeTarget *target, GError **error)
{
    const VolumeDevice *device = &place->device;

    if (device->size < target->size) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE,
                    "%s has %" G_GUINT64_FORMAT " bytes, the volume %" G_GUINT64_FORMAT
                    "; it does not fit",
                    device->path, device->size, target->size);
        return false;
    }
    // what the kernel remembers of a device may be older than what a file system wrote past it
    if (device->block)
        (void)ioctl(device->fd, BLKFLSBUF, 0);
    place->head = g_malloc0(VOLUME_HEAD_LEN);
    if (!fs_pread_full(device->fd, place->head, (size_t)MIN(target->size, VOLUME_HEAD_LEN), 0,
                       &place->head_len, device->path, error))
        return false;
    place->unfinished = volume_mark_is(place->head, place->head_len);
    return refuse_data(place, target, error);
}

/* ---- opening ---- */

/* An image that is not there yet; it appears at once, with a mark as soon as it is written to. */
static bool create(const VolumeTarget *target, VolumePlace *place, GError **error)
{
    g_autofree char *directory = NULL;
    int fd = open(target->target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && ftruncate(fd, (off_t)target->size) == 0;

    if (!ok)
        bs_error_errno(error, errno, "make %s", target->target);
    if (!fs_close(fd, target->target, ok ? error : NULL) || !ok) {
        if (fd >= 0)
            (void)unlink(target->target);
        return false;
    }
    directory = g_path_get_dirname(target->target);
    place->created = true;
    return fs_sync_dir(directory, error);
}

static bool open_it(const VolumeTarget *target, VolumePlace *place, GError **error)
{
    const int flags = (target->dry_run ? O_RDONLY : O_RDWR) | (target->file ? O_NOFOLLOW : 0);
    struct stat st;

    if ((target->file ? lstat : stat)(target->target, &st) < 0 && errno == ENOENT) {
        if (g_str_has_prefix(target->target, "/dev/")) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: there is no such device",
                        target->target);
            return false;
        }
        if (target->dry_run)
            return place->created = true;
        if (!create(target, place, error))
            return false;
    }
    if (!volume_device_open(target->target, flags, &place->device, error))
        return false;
    if (!target->file || !place->device.block)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED, "%s is a device; only a file may be here",
                target->target);
    return false;
}

bool volume_place_open(const VolumeTarget *target, VolumePlace *ret_place, GError **error)
{
    g_auto(VolumePlace) place = { .device = { .fd = -1 } };

    if (!open_it(target, &place, error))
        return false;
    if (place.device.fd >= 0 &&
        (!refuse_use(&place.device, error) ||
         (!target->dry_run && !take_alone(&place.device, error)) || !look(&place, target, error)))
        return false;
    *ret_place = place;
    place = (VolumePlace){ .device = { .fd = -1 } };
    return true;
}

void volume_place_close(VolumePlace *place)
{
    volume_device_close(&place->device);
    g_clear_pointer(&place->head, g_free);
}
