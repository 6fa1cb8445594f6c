/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mounted file system kept still (FIFREEZE, ioctl_fs(2)): what was written is on the device, and
 * who wants to write waits. A guard, a process of its own, freezes and thaws: it thaws when asked,
 * when we have ended in whatever way, when the time is over, and when it is told to end. Until
 * volume_freeze_end() the caller writes nothing that might lie there. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VolumeFreeze VolumeFreeze;

/* All of the directories that file systems are mounted at, or none. BS_ERROR_DENIED: only root may.
 * BS_ERROR_UNSUPPORTED: the file system cannot be frozen. BS_ERROR_LOCKED: it is already, by
 * somebody else. */
VolumeFreeze *volume_freeze_begin(char *const *mounts, int64_t limit_ms, GError **error);
/* False: it does not hold any more, and why. */
bool volume_freeze_holds(VolumeFreeze *freeze, GError **error);
/* Thaws. False: it did not hold until now, so what was read is not of one moment. ret_ms: how long
 * it held; set in either case. */
bool volume_freeze_end(VolumeFreeze *freeze, int64_t *ret_ms, GError **error);
void volume_freeze_free(VolumeFreeze *freeze); /* thaws; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeFreeze, volume_freeze_free)
