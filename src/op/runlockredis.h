/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of a schedule in Redis: the key "backup:schedule:<id>" with a random token and a time to
 * live of five minutes (https://redis.io/docs/latest/commands/set, "Patterns"). It is renewed and
 * removed only by who holds its token, in a script, so that nobody touches the next one's lock. A
 * server that lost its memory, or another that took its place, has lost the lock, too: whoever
 * must be sure asks before he commits. One thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "net/redisurl.h"

typedef struct RedisLock RedisLock;

#define REDIS_LOCK_TTL_MS 300000

/* All but schedule are borrowed for the lock's life. BS_ERROR_LOCKED: another run has it; those of
 * redis_connect(). */
RedisLock *redis_lock_acquire(const RedisUrl *url, const char *schedule, const char *ca_file,
                              const Cancel *cancel, GError **error);
/* Renews it when it is time to. A server that cannot be asked may come back as long as the time to
 * live lasts. BS_ERROR_LOCKED: it is lost. */
bool redis_lock_renew(RedisLock *lock, GError **error);
/* Renews it now; false when that cannot be done. */
bool redis_lock_check(RedisLock *lock, GError **error);
/* Takes NULL. Removes the key if it is still ours; if that fails, it ends by its time to live. */
void redis_lock_free(RedisLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisLock, redis_lock_free)
