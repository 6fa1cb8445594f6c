/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read-only snapshot of a logical volume (lvcreate(8)), for as long as it is read: of a volume in
 * a thin pool a thin one, of any other one with a part of what its volume group has free, at most
 * 20 % of the volume. The kernel freezes the file system that is mounted from the volume itself for
 * that moment. It bears the tag "backstay", is called backstay- and 16 hexadecimal digits, and is
 * held open; one of the same volume that a killed run left is removed when the next is taken. LVM's
 * tools are needed, and root. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct LvmSnapshot LvmSnapshot;

/* Whether the device is a logical volume. */
bool lvm_is_volume(dev_t device);

/* path: of the logical volume. shares: how many snapshots have to be made of what the group has
 * free. BS_ERROR_NOT_FOUND: no tools; BS_ERROR_NO_SPACE: no room. */
LvmSnapshot *lvm_snapshot_new(const char *path, unsigned shares, GError **error);
int lvm_snapshot_fd(const LvmSnapshot *snapshot); /* to read from; borrowed */
/* To be asked often; it looks every ten seconds. False: it has overflowed, or its thin pool is
 * about to, which would stop everybody who writes there. */
bool lvm_snapshot_holds(LvmSnapshot *snapshot, GError **error);
/* Looks at once: what was read until now is what was there. */
bool lvm_snapshot_held(LvmSnapshot *snapshot, GError **error);
/* False: it is still there, and its name. The snapshot is freed in either case; takes NULL. */
bool lvm_snapshot_remove(LvmSnapshot *snapshot, GError **error);
