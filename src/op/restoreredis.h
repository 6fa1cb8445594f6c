/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing the keys of a snapshot back into a Redis server. */
#pragma once
#include "flow/progress.h"
#include "op/open.h"
#include "op/restorefacts.h"
#include "repo/snapshot.h"
#include "source/redisrestore.h"

typedef struct {
    const char *snapshot; /* SNAPSHOT */
    SnapshotFilter filter;
    const char *url;
    bool clean, preview;
    const RestoreFacts *facts; /* NULL: they are not compared */
} RestoreRedisRequest;

typedef struct {
    Id snapshot;
    RedisRestored restored; /* preview: what the manifest counts */
    uint64_t target_keys;   /* preview: what the server holds */
} RestoreRedisResult;

/* progress: may be NULL. BS_ERROR_USAGE: the snapshot is of something else; and what
 * redisrestore.h tells. Keys restored before a failure stay. */
bool op_restore_redis(OpenRepo *open, const RestoreRedisRequest *request, Progress *progress,
                      const Cancel *cancel, RestoreRedisResult *ret_result, GError **error);
