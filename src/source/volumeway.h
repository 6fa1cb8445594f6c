/* SPDX-License-Identifier: Apache-2.0 */
/* How a volume is made to hold still while it is read: what an operator asks for. Pure. */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef enum {
    VOLUME_AUTO,   /* what needs nobody to wait for longer than a moment */
    VOLUME_LVM,    /* the same, and a logical volume that somebody uses has a snapshot, or fails */
    VOLUME_FREEZE, /* as well freeze what is mounted for as long as it is read */
    VOLUME_HOOK,   /* the operator says that it holds still */
    VOLUME_NONE,   /* read it as it is */
} VolumeWay;

/* "auto", "lvm", "freeze", "hook", "none". BS_ERROR_USAGE. */
bool volume_way_parse(const char *text, VolumeWay *ret_way, GError **error);
