/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redissink.h"

void redis_sink_init(RedisSink *sink, const SinkOps *ops, RedisConn *conn,
                     const RdbVisitor *visitor)
{
    sink->base.ops = ops;
    sink->conn = conn;
    sink->put = redis_put_new(conn);
    sink->visitor = *visitor;
    sink->walker = rdb_walker_new(&sink->visitor);
}

void redis_sink_done(RedisSink *sink)
{
    redis_put_free(sink->put);
    rdb_walker_free(sink->walker);
    redis_conn_free(sink->conn);
}

bool redis_sink_end(Sink *base, G_GNUC_UNUSED void *handle, G_GNUC_UNUSED const Node *node,
                    GError **error)
{
    return rdb_finish(((RedisSink *)base)->walker, error);
}

/* What was put stays there; without finish() nothing says that it is all. */
void redis_sink_abandon(G_GNUC_UNUSED Sink *base, G_GNUC_UNUSED void *handle)
{
}
