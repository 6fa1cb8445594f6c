/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of a restore that lies there already: what it has in common with the snapshot is not
 * fetched again. Every chunk of the snapshot's file is looked for at its offset, by its SHA-256.
 *
 * A file larger than one chunk is patched where it lies: a database's files have gigabytes, and a
 * copy of each would cost what the delta shall save, in time and in room on the disk. A run that is
 * interrupted leaves a mixture there; so before the first byte is written the mark of an unfinished
 * restore is on the disk, and it goes when everything is (flow/dirsink.h). What is written is
 * readable for its owner only until the file is done.
 *
 * A file is not patched, but made anew under a temporary name, what is the same copied from the old
 * one and the rest fetched, where writing into it could be seen or felt elsewhere: it has a second
 * name, another owner, a wider mode, setuid, or cannot be written to. One of a single chunk that
 * differs is replaced too, and never a mixture.
 *
 * A range is proved at the moment it is read. Somebody who writes to the file meanwhile is noticed
 * when nothing of it was patched, by size and time of change; else not.
 */
#pragma once
#include "base/id.h"
#include "flow/dirfile.h"

/* Whether these bytes are there, and taken over. What cannot be read is not there. Any thread. */
bool target_patch_has(Target *target, TargetFile *file, uint64_t offset, size_t len, const Id *id,
                      bool *ret_has, GError **error);
/* Something is going to be written: to file->fd. Needs the mutex. */
bool target_patch_begin(Target *target, TargetFile *file, GError **error);
/* Whether the file stays, and so ends by target_patch_finish(). */
bool target_patch_stays(Target *target, TargetFile *file);
bool target_patch_finish(Target *target, TargetFile *file, struct stat *ret_identity,
                         GError **error);
/* Dry run: the end of it. file->differs says what was found. */
void target_patch_seen(Target *target, TargetFile *file);
/* True: there is nothing else to throw away. What was patched stays so. */
bool target_patch_drop(TargetFile *file);
