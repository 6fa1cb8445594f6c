/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumedevice.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/pgfacts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define FILE_SECTOR 512u

static bool measure(VolumeDevice *device, GError **error)
{
    int sector = 0;

    device->sector = device->physical_sector = FILE_SECTOR;
    if (device->block && ioctl(device->fd, BLKSSZGET, &sector) == 0 && sector > 0)
        device->sector = (unsigned)sector;
    if (device->block)
        (void)ioctl(device->fd, BLKPBSZGET, &device->physical_sector);
    return volume_device_size(device->fd, &device->size, error);
}

bool volume_device_size(int fd, uint64_t *ret_size, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret_size) < 0)) {
        bs_error_errno(error, errno, "size");
        return false;
    }
    if (!S_ISBLK(st.st_mode))
        *ret_size = (uint64_t)st.st_size;
    return true;
}

bool volume_device_open(const char *path, int flags, VolumeDevice *ret_device, GError **error)
{
    // without O_NONBLOCK a FIFO would wait here for its writer
    g_auto(VolumeDevice) device = { .fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) };

    if (device.fd < 0 && errno == EBUSY) {
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "%s: it is in use", path);
        return false;
    }
    if (device.fd < 0 || fstat(device.fd, &device.st) < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    device.block = S_ISBLK(device.st.st_mode);
    if (!device.block && !S_ISREG(device.st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s is neither a block device nor an image file", path);
        return false;
    }
    if (!measure(&device, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    device.path = g_canonicalize_filename(path, NULL);
    *ret_device = device;
    device = (VolumeDevice){ .fd = -1 };
    return true;
}

void volume_device_close(VolumeDevice *device)
{
    fs_clear_fd(&device->fd);
    g_clear_pointer(&device->path, g_free);
}

/* ---- identity ---- */

static void add_attribute(json_t *facts, const char *key, const char *directory, const char *file)
{
    g_autofree char *path = g_build_filename(directory, file, NULL), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !*g_strstrip(text))
        return;
    if (!json_object_get(facts, key))
        (void)json_object_set_new(facts, key, pg_facts_text(text, NULL));
}

/* A partition has its own directory in that of its disk. */
json_t *volume_device_identity(const VolumeDevice *device)
{
    static const char *const rows[][2] = {
        { "partition", "partition" },
        { "model", "device/model" },
        { "model", "../device/model" },
        { "serial", "device/serial" },
        { "serial", "serial" },
        { "serial", "../device/serial" },
        { "serial", "../serial" },
        { "wwid", "device/wwid" },
        { "wwid", "wwid" },
        { "wwid", "../wwid" },
        { "dm_name", "dm/name" },
        { "dm_uuid", "dm/uuid" },
        { "backing_file", "loop/backing_file" },
    };
    json_t *facts = json_object();
    g_autofree char *link = NULL;

    if (!device->block)
        return facts;
    link = g_strdup_printf("/sys/dev/block/%u:%u", major(device->st.st_rdev),
                           minor(device->st.st_rdev));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        add_attribute(facts, rows[i][0], link, rows[i][1]);
    return facts;
}

/* Its numbers as huge_encode_dev() of the kernel has them. */
unsigned volume_device_opens(const VolumeDevice *device)
{
    uint64_t major_number = major(device->st.st_rdev), minor_number = minor(device->st.st_rdev);
    struct dm_ioctl status = {
        .version = { DM_VERSION_MAJOR, 0, 0 },
        .data_size = sizeof status,
        .dev = (minor_number & 0xff) | major_number << 8 | (minor_number & ~UINT64_C(0xff)) << 12,
    };
    fs_autoclose int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

    if (!device->block || control < 0 || ioctl(control, DM_DEV_STATUS, &status) != 0)
        return 0; // it is of another kind, most of all
    return status.open_count > 0 ? (unsigned)status.open_count : 0;
}

VolumeWriters volume_device_writers(const VolumeDevice *device)
{
    int errnum;

    if (fcntl(device->fd, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(device->fd, F_SETLEASE, F_UNLCK);
        return WRITERS_NONE;
    }
    errnum = errno;
    return errnum == EAGAIN ? WRITERS_SOME : WRITERS_UNKNOWN;
}
