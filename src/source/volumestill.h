/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume that holds still while it is read: because nobody writes to it, as a clone of one moment
 * (FICLONE, on XFS and btrfs), in a snapshot of the subvolume that it shares with other images
 * (source/volumegroup.h) or of the logical volume that it is (source/volumelvm.h), because its file
 * system is frozen, or because a hook sees to it. Where nothing does, that is said. One thread.
 */
#pragma once
#include "source/volumedevice.h"
#include "source/volumegroup.h"
#include "source/volumeway.h"

typedef struct VolumeStill VolumeStill;

/* group: what is backed up with it; borrowed. limit_ms: how long a file system may stay frozen.
 * BS_ERROR_USAGE: it is none that may be frozen; and those of volume_device_open(),
 * volume_freeze_begin(). */
VolumeStill *volume_still_begin(const char *path, VolumeWay way, int64_t limit_ms,
                                VolumeGroup *group, GError **error);
void volume_still_free(VolumeStill *still);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeStill, volume_still_free)

const VolumeDevice *volume_still_device(const VolumeStill *still);
int volume_still_fd(const VolumeStill *still); /* to read from; it is as long as the device */
/* It is of one moment, if only as a loss of power would leave it. */
bool volume_still_is_one(const VolumeStill *still);
/* False: it was made to hold still by the begin. True: by that of another one, between two times of
 * clock_monotonic_ms(), or by this one between these. */
bool volume_still_moment(const VolumeStill *still, int64_t *ret_from_ms, int64_t *ret_until_ms);
/* Asked from time to time while it is read; false: it does not hold any more. */
bool volume_still_holds(VolumeStill *still, GError **error);
/* Reading failed: says so when that is because it did not hold. */
void volume_still_explain(VolumeStill *still, GError **error);
/* All was read. False: it did not hold still until now. */
bool volume_still_end(VolumeStill *still, GError **error);

/* After the end: how it was made consistent, for the manifest. */
json_t *volume_still_facts(const VolumeStill *still);
/* What an operator has to know: it is crash-consistent only. NULL: nothing. */
const char *volume_still_note(const VolumeStill *still);
