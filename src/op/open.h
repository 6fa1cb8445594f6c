/* SPDX-License-Identifier: Apache-2.0 */
/* From settings to an open, locked repository: what nearly every operation begins with. */
#pragma once
#include "op/mirrorset.h"
#include "repo/lock.h"
#include "repo/repo.h"

typedef enum {
    OPEN_UNLOCKED,  /* reads what never changes */
    OPEN_SHARED,    /* reads or adds; no lock with --no-lock (readers only) */
    OPEN_EXCLUSIVE, /* removes */
} OpenHow;

typedef struct {
    OpenStore at;
    MirrorSet *mirrors;
    Repo *repo;
    Lock *lock; /* NULL without */
} OpenRepo;

/*
 * allow_no_lock: the operation only reads, so --no-lock may be obeyed, and mirrors may help. Other
 * operations write to the mirrors, too; they end with mirrorset_finish().
 */
bool open_repo(const Settings *settings, OpenHow how, bool allow_no_lock, const Cancel *cancel,
               OpenRepo *ret_open, GError **error);
/* The same with another use of the mirrors. */
bool open_repo_using(const Settings *settings, OpenHow how, MirrorUse use, bool allow_no_lock,
                     const Cancel *cancel, OpenRepo *ret_open, GError **error);
/* The repository of the settings once more, without a lock, by its master key (a SealKey): for who
 * had it open before, and should not have to ask for a password again. BS_ERROR_PASSWORD: another
 * repository is there by now. */
bool open_repo_again(const Settings *settings, const Secret *master, MirrorUse use,
                     const Cancel *cancel, OpenRepo *ret_open, GError **error);
/* Another repository with its own password (copy); from->infix also says whose keys are used for
 * its bucket. */
bool open_repo_at(const Settings *settings, const char *location, const PasswordFrom *from,
                  OpenHow how, MirrorUse use, const Cancel *cancel, OpenRepo *ret_open,
                  GError **error);
/* A copy of the repository in another place, with the repository's password, locked shared (not
 * with
 * --no-lock) and alone. infix: whose keys are used for its bucket. */
bool open_repo_copy(const Settings *settings, const char *location, const char *infix,
                    const Cancel *cancel, OpenRepo *ret_open, GError **error);
/* Another lock on what is open, waiting so long for it; the old one is given up first, and without
 * the new one there is none. */
bool open_relock(const Settings *settings, OpenRepo *open, OpenHow how, int64_t wait_ms,
                 const Cancel *cancel, GError **error);
/* Releases the lock, closes all. */
void open_done(OpenRepo *open);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OpenRepo, open_done)
