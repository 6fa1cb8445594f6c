/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a schedule from running twice at once: always a lock on this machine, and on demand
 * an advisory lock in each PostgreSQL database that is backed up, and a key in Redis. A thread asks
 * for all of them again and again while the run lives. They are fenced: before a snapshot is
 * written each must be proven to be held still (run_locks_check()).
 */
#pragma once
#include "base/cancel.h"
#include "net/redisurl.h"
#include "pg/url.h"
#include <stdint.h>

typedef struct RunLocks RunLocks;

typedef struct {
    const char *schedule;  /* id */
    const char *state_dir; /* of the lock on this machine */
    GPtrArray *postgres;   /* of PgUrl; may be NULL */
    const RedisUrl *redis; /* NULL: none */
    const char *ca_file;   /* for Redis; may be NULL */
    /* A lock is gone: the run must end. Once, from another thread. */
    void (*lost)(const GError *why, void *user);
    void *user;
} RunLocksRequest;

/* All or none. BS_ERROR_LOCKED: a run of this schedule lives. What request names is borrowed as
 * long as they are held. */
bool run_locks_acquire(const RunLocksRequest *request, RunLocks **ret_locks, GError **error);
/* Asks for each of them now. Any thread. BS_ERROR_LOCKED and others: one is lost, or cannot be
 * proven to be held; and so it stays. */
bool run_locks_check(RunLocks *locks, GError **error);
void run_locks_release(RunLocks *locks); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunLocks, run_locks_release)
