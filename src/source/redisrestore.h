/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis database file back into a running server: each key by RESTORE with the bytes that the
 * file has of it, so that it does not matter where the server's files are, nor whether it has
 * appendonly yes. Keys whose time is over are counted and left out. Afterwards the keys are counted
 * again.
 */
#pragma once
#include "base/cancel.h"
#include "flow/sink.h"
#include "net/redis.h"

typedef struct {
    const char *url;
    uint32_t database;    /* the highest number of those with keys, as far as it is known */
    bool clean;           /* FLUSHALL first, once the server has shown that it takes the file */
    const Cancel *cancel; /* borrowed until the sink is freed */
} RedisRestoreRequest;

typedef struct {
    uint64_t keys;      /* restored */
    uint64_t expired;   /* left out */
    uint64_t functions; /* libraries */
} RedisRestored;

/* Connected, and found fit; *ret_keys: what the server holds. Errors as below. */
RedisConn *redis_restore_connect(const RedisRestoreRequest *request, uint64_t *ret_keys,
                                 GError **error);
/* What the server holds now. Errors as below. */
bool redis_restore_look(const RedisRestoreRequest *request, uint64_t *ret_keys, GError **error);

/* Takes one file, dump.rdb. BS_ERROR_NOT_EMPTY without clean; BS_ERROR_VERSION: the server is too
 * old for the file; BS_ERROR_SETUP: a replica, or a cluster's node; BS_ERROR_MISMATCH from finish:
 * other counts; what net/redis.h tells. restored: filled by finish; borrowed. */
Sink *redis_restore_sink_new(const RedisRestoreRequest *request, RedisRestored *restored,
                             GError **error);
