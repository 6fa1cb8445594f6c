/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who on this machine still lives: for every lock held there is a file
 * <state_dir>/locks/<repository id>-<lock id>.held, flock()ed by its holder. The kernel lets go of
 * it when the process ends, however it ends, and a process id cannot be mistaken. The file is there
 * before the lock object is, and longer.
 */
#pragma once
#include "base/id.h"
#include <glib.h>

typedef struct LockState LockState;

/* NULL: no such file could be made. */
LockState *lockstate_hold(const char *state_dir, const char *repo_id, const Id *lock,
                          GError **error);
/* The lock object is gone. Takes NULL. */
void lockstate_drop(LockState *state);
/* The lock object may still lie there: whoever comes next on this machine shall know it for dead.
 * Takes NULL. */
void lockstate_abandon(LockState *state);

/* The locks of this repository whose holders have died here. Of Id. */
GArray *lockstate_dead(const char *state_dir, const char *repo_id);
/* Removes the file of a dead one if it was made more than age_s seconds ago. */
void lockstate_forget(const char *state_dir, const char *repo_id, const Id *lock, int64_t age_s);
