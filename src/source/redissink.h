/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sinks have in common that take an RDB file and put its values into a server: the file is
 * walked as it comes, and whole when the walker says so. One thread.
 */
#pragma once
#include "flow/sink.h"
#include "source/redisput.h"

typedef struct {
    Sink base;
    RedisConn *conn;
    RdbWalker *walker;
    RdbVisitor visitor;
    RedisPut *put;
} RedisSink;

/* conn: taken over. visitor is copied. */
void redis_sink_init(RedisSink *sink, const SinkOps *ops, RedisConn *conn,
                     const RdbVisitor *visitor);
void redis_sink_done(RedisSink *sink);

/* For their tables. */
bool redis_sink_end(Sink *base, void *handle, const Node *node, GError **error);
void redis_sink_abandon(Sink *base, void *handle);
