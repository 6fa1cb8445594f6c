/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys into a Redis server by RESTORE, many on their way at once. A value is gathered first,
 * because its length and checksum come before and behind it: in memory up to 32 MiB, beyond that in
 * a file without a name below $TMPDIR. One thread.
 */
#pragma once
#include "net/redis.h"
#include "source/rdb.h"

typedef struct RedisPut RedisPut;

RedisPut *redis_put_new(RedisConn *conn); /* borrowed */
void redis_put_free(RedisPut *put);       /* takes NULL */

void redis_put_version(RedisPut *put, unsigned version); /* of the file, before the first key */
/* Restores a key that nobody has into this database, and removes it: BS_ERROR_VERSION when the
 * server is too old, BS_ERROR_DENIED, ... */
bool redis_put_probe(RedisPut *put, uint32_t database, GError **error);

void redis_put_skip(RedisPut *put); /* what comes of this key is dropped */
void redis_put_begin(RedisPut *put, const RdbKey *key);
bool redis_put_piece(RedisPut *put, const void *data, size_t len, GError **error);
bool redis_put_end(RedisPut *put, GError **error);
/* All were taken. Errors of this and end() name the key. */
bool redis_put_finish(RedisPut *put, GError **error);
