/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of a schedule in the database that it backs up: a session's advisory lock (PostgreSQL
 * documentation, "Advisory Locks"), so it is gone with its connection. The connection is the
 * lock's own. A pooler between would hand the session to somebody else, so it is refused.
 * One thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"
#include <stdint.h>

typedef struct PgLock PgLock;

/* What locks a schedule: the first eight bytes of the SHA-256 of "backstay:schedule:<id>". */
int64_t pg_lock_key(const char *schedule);

/* cancel is borrowed for the lock's life, and ends what waits for the server. BS_ERROR_LOCKED:
 * another session has it; BS_ERROR_UNSUPPORTED: a pooler lies between; those of pg_connect(). */
PgLock *pg_lock_acquire(const PgUrl *url, const char *schedule, const Cancel *cancel,
                        GError **error);
/* Asks the server. BS_ERROR_LOCKED: it is no longer held. */
bool pg_lock_check(PgLock *lock, GError **error);
void pg_lock_free(PgLock *lock); /* takes NULL; releases it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgLock, pg_lock_free)
