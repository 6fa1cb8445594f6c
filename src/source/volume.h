/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block device or an image file as a source: `/<name>/<device>.img/` of segments, which `cat`
 * joins, and `manifest.json` (doc/volume.schema.json). It is cut in fixed pieces, so that a
 * later backup reads it once and stores the pieces that changed; holes and zeros are not stored.
 * How it is made to hold still: source/volumestill.h.
 */
#pragma once
#include "source/source.h"
#include "source/volumestill.h"

typedef struct {
    VolumeWay way;
    int64_t freeze_limit_ms; /* 0: the default */
} VolumeOptions;

/* path: made absolute, and also the name of the source. group: what is backed up with it; it is
 * added. BS_ERROR_USAGE. */
Source *volume_source_new(const char *path, const VolumeOptions *options, VolumeGroup *group,
                          GError **error);
