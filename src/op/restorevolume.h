/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a volume back into a block device or an image file, block by block. */
#pragma once
#include "flow/progress.h"
#include "op/open.h"
#include "op/restorefacts.h"
#include "repo/snapshot.h"
#include "source/volumesink.h"

typedef struct {
    const char *snapshot; /* SNAPSHOT */
    SnapshotFilter filter;
    const char *target; /* a path */
    bool force, preview, verify;
    bool file; /* of the target's name nothing but a file is taken: no link, no device */
    const RestoreFacts *facts; /* NULL: they are not compared */
} RestoreVolumeRequest;

typedef struct {
    Id snapshot;
    uint64_t size; /* of the volume */
    VolumeRestored restored;
    bool crash_consistent; /* that is what the snapshot is */
} RestoreVolumeResult;

/* progress: may be NULL. BS_ERROR_USAGE: the snapshot is of something else; BS_ERROR_MISMATCH: with
 * verify; and what volume_sink_new() tells. */
bool op_restore_volume(OpenRepo *open, const RestoreVolumeRequest *request, Progress *progress,
                       const Cancel *cancel, RestoreVolumeResult *ret_result, GError **error);
