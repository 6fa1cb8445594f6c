/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device or image file that a volume is restored into: refused when that could lose something
 * that nobody wanted to lose. One thread.
 */
#pragma once
#include "source/volumedevice.h"
#include "source/volumesink.h"

typedef struct {
    VolumeDevice device; /* opened for writing, alone */
    uint8_t *head;       /* VOLUME_HEAD_LEN, as it was */
    size_t head_len;
    bool created, unfinished; /* there was none; it bears the mark */
} VolumePlace;

/* See volume_sink_new(). With dry_run nothing is made: an absent file has descriptor -1. */
bool volume_place_open(const VolumeTarget *target, VolumePlace *ret_place, GError **error);
void volume_place_close(VolumePlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumePlace, volume_place_close)
