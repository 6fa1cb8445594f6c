/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logical volumes that one command backs up. Snapshots of all those that somebody uses are
 * taken when the first of them is read, one right after the other, and each is removed when it was
 * read, or whatever way the command ends. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VolumeLvm VolumeLvm;

VolumeLvm *volume_lvm_new(void);
void volume_lvm_free(VolumeLvm *lvm); /* takes NULL */

/* path: absolute. What is no logical volume is not counted. */
void volume_lvm_add(VolumeLvm *lvm, const char *path);
bool volume_lvm_has(const VolumeLvm *lvm, const char *path);
/* The snapshot of a volume that somebody uses, open for reading; to be closed before
 * volume_lvm_close().
 * *ret_consistent: what is mounted from it was frozen. *ret_why: what else it is, NULL: nothing is
 * mounted; to be freed. -1: there is none, and why: see lvm_snapshot_new(). */
int volume_lvm_open(VolumeLvm *lvm, const char *path, bool *ret_consistent, char **ret_why,
                    GError **error);
/* Of one that was opened: times of clock_monotonic_ms() between which it was taken. */
void volume_lvm_moment(const VolumeLvm *lvm, const char *path, int64_t *ret_from_ms,
                       int64_t *ret_until_ms);
/* As lvm_snapshot_holds() and lvm_snapshot_held(). */
bool volume_lvm_holds(VolumeLvm *lvm, const char *path, bool at_the_end, GError **error);
/* This volume was read. False: the snapshot could not be removed. */
bool volume_lvm_close(VolumeLvm *lvm, const char *path, GError **error);
