/* SPDX-License-Identifier: Apache-2.0 */
/* A block device or an image file: how large it is, and how to know it again. One thread. */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct {
    char *path; /* as named, absolute; may be a link */
    int fd;
    struct stat st;
    bool block; /* else an image file */
    uint64_t size;
    unsigned sector, physical_sector; /* of a device; of a file 512 */
} VolumeDevice;

/* flags: as open(2). BS_ERROR_USAGE: neither a block device nor a regular file. BS_ERROR_LOCKED:
 * O_EXCL, and the kernel uses the device. */
bool volume_device_open(const char *path, int flags, VolumeDevice *ret_device, GError **error);
void volume_device_close(VolumeDevice *device);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumeDevice, volume_device_close)

/* Its size now, which a file may change. */
bool volume_device_size(int fd, uint64_t *ret_size, GError **error);
/* What the kernel knows of it: model, serial number, name and UUID in the device mapper, the number
 * of a partition. For the manifest. */
json_t *volume_device_identity(const VolumeDevice *device);

/* How often a device of the device mapper (LVM, LUKS) is open, by us, too; 0: that is not told. */
unsigned volume_device_opens(const VolumeDevice *device);

/* Whether nobody has the file open for writing; as far as the kernel tells us (fcntl(2), "Leases"):
 * for other owners' files only root is told, and some file systems never tell. fd: opened
 * O_RDONLY. */
typedef enum { WRITERS_NONE, WRITERS_SOME, WRITERS_UNKNOWN } VolumeWriters;
VolumeWriters volume_device_writers(const VolumeDevice *device);
