/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read-only snapshot of a btrfs subvolume (linux/btrfs.h, BTRFS_IOC_SNAP_CREATE_V2), in the root
 * of that subvolume, named ".backstay-snapshot-" and 16 hexadecimal digits. Whoever reads it holds
 * flock() on it; one of this name that nobody holds is of a run that was killed, and the next
 * snapshot of the subvolume removes it. Nothing else is ever removed. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct BtrfsSnapshot BtrfsSnapshot;

/* The root of the subvolume that holds this path, or NULL: it lies on no btrfs, or its root cannot
 * be reached from here. real: absolute, without links. To be freed. */
char *btrfs_subvolume_root(const char *real);

/* root: of a subvolume. What was written before is in it. BS_ERROR_DENIED, BS_ERROR_NO_SPACE. */
BtrfsSnapshot *btrfs_snapshot_new(const char *root, GError **error);
/* Its root directory; borrowed. */
int btrfs_snapshot_fd(const BtrfsSnapshot *snapshot);
/* False: it is still there, and where. The snapshot is freed in either case; takes NULL. */
bool btrfs_snapshot_remove(BtrfsSnapshot *snapshot, GError **error);
