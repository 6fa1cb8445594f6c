/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of volumestill.c share: what holds still, and the ways that are of one moment. */
#pragma once
#include "source/volumefreeze.h"
#include "source/volumestill.h"
#include "source/volumeuse.h"

struct VolumeStill {
    VolumeDevice device;
    VolumeUse *use;
    const char *way, *state;
    int clone; /* also a snapshot; -1: none */
    VolumeGroup *group;
    bool in_snapshot, in_lvm;
    char *lost; /* why there is no snapshot of a logical volume */
    VolumeFreeze *freeze;
    int64_t frozen_ms;
    char *note;
};

/* Both constant, as the manifest has them. */
void volume_still_choose(VolumeStill *still, const char *way, const char *state);
bool volume_still_freeze(VolumeStill *still, int64_t limit_ms, GError **error);
bool volume_still_thaw(VolumeStill *still, GError **error);

/* ---- of one moment ---- */

/* Of an image: a clone, or a snapshot of the subvolume that it shares with others. */
bool volume_moment_choose(VolumeStill *still, bool *ret_chosen, GError **error);
/* Of a logical volume. False: it is none, or there is no snapshot, and still->lost says why. */
bool volume_moment_choose_lvm(VolumeStill *still);
/* All was read, and the backup is whole; that something was left behind is told. */
void volume_moment_end(VolumeStill *still);
void volume_moment_forget(VolumeStill *still);
