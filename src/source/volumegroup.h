/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images that one command, or the group of a schedule, backs up. Those that lie in one btrfs
 * subvolume are read from one snapshot of it, so that they are of one instant: taken when the first
 * of them is read, with the file systems that are mounted from any of them frozen for that moment,
 * and removed when the last one was read, or whatever way the command ends. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "source/volumelvm.h"

typedef struct VolumeGroup VolumeGroup;

VolumeGroup *volume_group_new(void);
VolumeGroup *volume_group_ref(VolumeGroup *group);
void volume_group_unref(VolumeGroup *group); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeGroup, volume_group_unref)

/* path: absolute. What is no file on a btrfs is not counted. */
void volume_group_add(VolumeGroup *group, const char *path);
/* The logical volumes among what was added; borrowed. */
VolumeLvm *volume_group_lvm(const VolumeGroup *group);
/* How many images lie in the same subvolume as this one, itself included; 0: it lies in none. */
unsigned volume_group_size(const VolumeGroup *group, const char *path);
/* The image in the snapshot, open for reading; given back by volume_group_close(). *ret_consistent:
 * nobody wrote to it, or what is mounted from it was frozen. *ret_why: what kept that from being
 * so, NULL: nothing is mounted; to be freed. -1: there is no snapshot. */
int volume_group_open(VolumeGroup *group, const char *path, bool *ret_consistent, char **ret_why,
                      GError **error);
/* Between which two times of clock_monotonic_ms() the snapshot was taken that this image is open
 * in.
 */
void volume_group_moment(const VolumeGroup *group, const char *path, int64_t *ret_from_ms,
                         int64_t *ret_until_ms);
/* This image was read. False: the snapshot could not be removed. */
bool volume_group_close(VolumeGroup *group, const char *path, GError **error);
