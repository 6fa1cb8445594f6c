/* SPDX-License-Identifier: Apache-2.0 */
/* From settings to an open, locked repository: what nearly every operation begins with. */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include "repo/lock.h"
#include "repo/repo.h"

typedef enum {
    OPEN_UNLOCKED,  /* reads what never changes */
    OPEN_SHARED,    /* reads or adds; no lock with --no-lock (readers only) */
    OPEN_EXCLUSIVE, /* removes */
} OpenHow;

typedef struct {
    Store *store;
    Repo *repo;
    Lock *lock; /* NULL without */
} OpenRepo;

/* The store for a location: a path (or local:path). BS_ERROR_UNSUPPORTED names schemes this version
 * lacks. */
Store *open_store(const char *location, bool create, GError **error);

/* allow_no_lock: the operation only reads, so --no-lock may be obeyed. */
bool open_repo(const Settings *settings, OpenHow how, bool allow_no_lock, const Cancel *cancel,
               OpenRepo *ret_open, GError **error);
/* Another repository with its own password (copy). */
bool open_repo_at(const Settings *settings, const char *location, const PasswordFrom *from,
                  OpenHow how, const Cancel *cancel, OpenRepo *ret_open, GError **error);
/* Releases the lock, closes all. */
void open_done(OpenRepo *open);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OpenRepo, open_done)
