/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database file of a running Redis server, byte for byte: as a replica gets it (replication.c of
 * Redis, "PSYNC" and "SYNC"), or of a BGSAVE from the server's directory. One thread.
 */
#pragma once
#include "net/redis.h"
#include "source/rdb.h"

typedef struct RedisStream RedisStream;

/*
 * Asks the server for a copy; returns when it begins to come, which may take as long as the server
 * needs to fork and, where it is told to, to write it. BS_ERROR_DENIED: this login may not
 * replicate. conn is borrowed until the stream is freed, and good for nothing else afterwards.
 */
RedisStream *redis_stream_replica(RedisConn *conn, GError **error);
/* By BGSAVE, of a server whose directory is on this machine; waits until it is done.
 * BS_ERROR_SETUP: the file is not to be had here. */
RedisStream *redis_stream_saved(RedisConn *conn, const Cancel *cancel, GError **error);

/*
 * The same two in two steps. The first returns when the server has forked: the copy is of a moment
 * within the call. It goes over the server's disk, and a slow reader keeps nobody waiting.
 * position: replication offset that the server had before, so that a copy of another's moment is
 * found out (BS_ERROR_TRANSIENT).
 */
RedisStream *redis_stream_fork(RedisConn *conn, int64_t position, GError **error);
RedisStream *redis_stream_save(RedisConn *conn, const Cancel *cancel, GError **error);
/* The second waits until it comes. asking: another connection, or the one that saved. */
bool redis_stream_await(RedisStream *stream, RedisConn *asking, GError **error);

void redis_stream_free(RedisStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisStream, redis_stream_free)

/* The next bytes, which went through walker, too; 0 at the end, which was the right one: the file's
 * own, and that of the transfer. -1 on failure. */
ssize_t redis_stream_read(RedisStream *stream, RdbWalker *walker, void *buf, size_t len,
                          GError **error);
const char *
redis_stream_method(const RedisStream *stream); /* "replica", "diskless replica", "bgsave" */
/* Of the moment of the copy: the server's replication id and offset. NULL, -1: not said. */
const char *redis_stream_replid(const RedisStream *stream);
int64_t redis_stream_offset(const RedisStream *stream);
