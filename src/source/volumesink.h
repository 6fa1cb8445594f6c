/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink that a volume is restored into: the folder of its segments, pushed in any order, into a
 * block device or an image file. Only what differs is read from the repository and written. Before
 * the first byte the head of the target is replaced by a mark (source/volumehead.h), durably, and
 * the head is written last: half a volume cannot be mounted, and a restore that was interrupted is
 * known again. What lies behind the end of the volume is left alone. caps: both.
 */
#pragma once
#include "base/cancel.h"
#include "flow/sink.h"
#include "source/volumehead.h"
#include "source/volumesum.h"

typedef struct {
    const char *target; /* a path; borrowed, as all of it */
    Id snapshot;        /* for the mark */
    const char *folder; /* of the segments, from the root of the snapshot */
    uint64_t size, segment;
    VolumeHead content; /* what the volume said of itself */
    bool force;         /* also over data that is not of this volume */
    bool file;          /* only a file, and what bears the name itself, be it no link */
    bool dry_run;
    const Cancel *cancel;
} VolumeTarget;

typedef struct {
    uint64_t same, written; /* bytes; dry run: that would be */
    uint64_t beyond;        /* of the target, behind the end of the volume */
    bool created, continued;
} VolumeRestored;

/*
 * ret_restored: filled in while the sink lives. BS_ERROR_LOCKED: the target is mounted, or in use.
 * BS_ERROR_NO_SPACE: it is smaller. BS_ERROR_NOT_EMPTY: it holds something else. BS_ERROR_USAGE: it
 * is neither a device nor a file.
 */
Sink *volume_sink_new(const VolumeTarget *target, VolumeRestored *ret_restored, GError **error);

/* Reads the first size bytes of the target back from the disk. BS_ERROR_MISMATCH: they are others.
 */
bool volume_verify(const char *target, uint64_t size, const VolumeId *id, const Cancel *cancel,
                   GError **error);
