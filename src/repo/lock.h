/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks (repository format, "Locks"): shared for writers and readers, exclusive for whoever
 * removes. A thread of its own refreshes the lock every five minutes; when that has failed for 22.5
 * minutes, or somebody else has removed the object, lock_check() fails from then on and the work
 * must stop. Dead locks of our own are recognised by a
 * flock()ed state file per held lock (state_dir), never by pid: such locks, and those older than 30
 * minutes, are removed when in the way. hostname in the lock is "backstay-<instance>", which no
 * machine has.
 */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct Lock Lock;

typedef struct {
    bool exclusive;
    int64_t wait_ms;       /* --retry-lock: how long to try, 0: once */
    const char *state_dir; /* NULL: no state files; then only age decides */
} LockOptions;

/* BS_ERROR_LOCKED names who holds it, since when, and the way out. */
bool lock_acquire(Repo *repo, const LockOptions *options, const Cancel *cancel, Lock **ret_lock,
                  GError **error);
/* False: the lock may have been taken over; stop writing at once. NULL (working without) is fine.
 */
bool lock_check(const Lock *lock, GError **error);
/* The same, and asks the store whether the object still lies there: before what is written would
 * rely on packs that whoever took the lock over may have removed. A machine that was halted does
 * not know for how long: its clocks stood still, too. A store that does not answer says nothing. */
bool lock_confirm(Lock *lock, GError **error);
/* Removes the lock object; failing to is a warning for the caller's log only. Takes NULL. */
void lock_release(Lock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lock, lock_release)

typedef struct {
    Id id;
    Timestamp time; /* unreadable: when the store got it */
    bool exclusive, readable, stale;
    char *hostname, *username; /* never NULL */
    int64_t pid;
} LockInfo;
/* Of LockInfo (cleared with the array), sorted by id. Unreadable ones are listed with readable
 * false: they stand in the way of exclusive locks only, and no lock_acquire() removes them. Empty
 * objects are the rest of an interrupted upload and are passed over. */
bool lock_list(Repo *repo, const char *state_dir, GArray **ret_locks, GError **error);
/* unlock: the stale ones, unreadable ones among them, or all. */
bool lock_remove_stale(Repo *repo, const char *state_dir, bool all, unsigned *ret_removed,
                       GError **error);
