/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses a block device or an image file: file systems mounted from it, from its partitions, from
 * devices made of them (LVM, RAID, LUKS) or from a loop device of it; swap. As far as this mount
 * namespace shows it: the kernel's own word is an open with O_EXCL. Any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

typedef struct {
    char *where, *type, *device; /* "/srv", "ext4", "/dev/loop0" */
    bool writable;               /* the file system, whatever this mount of it may */
} VolumeMount;

typedef struct {
    GPtrArray *mounts; /* of VolumeMount, a file system once */
    GPtrArray *others; /* of char *: "swap on /dev/sda2", "loop device /dev/loop0", "dm-3" */
    bool attached;     /* there is a loop device of it */
} VolumeUse;

/* st: of the device or the file. */
bool volume_use_find(const struct stat *st, VolumeUse **ret_use, GError **error);
void volume_use_free(VolumeUse *use);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeUse, volume_use_free)

bool volume_use_writable(const VolumeUse *use); /* some file system is */
/* Where those are mounted that are. */
GStrv volume_use_writable_mounts(const VolumeUse *use);
/* "mounted at /srv (ext4), swap on ...": for people. To be freed; NULL: nobody uses it. */
char *volume_use_text(const VolumeUse *use);
