/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of a Redis server out of its bytes (hiredis' reader), bounded. One thread at a time. */
#pragma once
#include "net/redis.h"

typedef struct RedisReader RedisReader;

RedisReader *redis_reader_new(void);
void redis_reader_free(RedisReader *reader); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisReader, redis_reader_free)

/* The next reply may have so many bytes. */
void redis_reader_begin(RedisReader *reader, size_t max);
void redis_reader_feed(RedisReader *reader, const char *data, size_t len);
/* *ret_reply: NULL when more has to be fed. BS_ERROR_CORRUPT: no reply, or one beyond the bounds.
 */
bool redis_reader_next(RedisReader *reader, RedisReply **ret_reply, GError **error);
/* Takes out what was fed and is not part of a reply that was given; it fits into max. */
size_t redis_reader_rest(RedisReader *reader, char *buf, size_t max);

/* Sets *error from the text of an error reply, "WRONGPASS invalid ...": see redis_command(). */
void redis_failure(const char *text, GError **error);
