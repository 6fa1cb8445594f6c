/* SPDX-License-Identifier: Apache-2.0 */
/* The locks of a repository but for our own: who stands in the way. For repo/lock.c; what others
 * may call of it is in repo/lock.h. */
#pragma once
#include "repo/lock.h"

#define LOCK_SETTLE_MS 200 /* for listings that lag behind */

/* The object we wrote ourselves: it need not be read, but must be there for others to read. */
typedef struct {
    Id id;
    size_t len;
} LockOwn;

/* Stale locks are taken out of the way. own: NULL while there is none. BS_ERROR_LOCKED names who
 * holds it; BS_ERROR_FAILED: the store does not list own. */
bool lockothers_check(Repo *repo, const LockOptions *options, const LockOwn *own, GError **error);
