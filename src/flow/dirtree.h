/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of the target from its begin to its end. Entries in it end in any thread and in any
 * order; it is done when the last of them is: then what the snapshot does not have is removed, when
 * that is asked for, and its metadata are set. What fails there is a warning.
 */
#pragma once
#include "flow/target.h"
#include <sys/stat.h>

/*
 * Makes name in parent, or takes the directory that lies there already; there: what lstat() said of
 * it, st_mode 0 for nothing. Whatever else is in the way is removed, never followed.
 * BS_ERROR_EXISTS: it may not be overwritten. The descriptor is the caller's.
 */
bool dir_tree_open(const Target *target, TargetDir *parent, const char *name,
                   const struct stat *there, int *ret_fd, bool *ret_fresh, GError **error);
/* Something in dir is being worked on, from now until leave. Any thread. */
void dir_tree_enter(TargetDir *dir);
/* Gives up the reference of a directory that is done with that, the target's own excepted. dir may
 * be NULL. Any thread. */
void dir_tree_leave(const Target *target, TargetDir *dir);
