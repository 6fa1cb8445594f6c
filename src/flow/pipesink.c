/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/pipesink.h"
#include "base/error.h"

typedef struct {
    Sink base;
    Outlet *out;
    uint64_t written; /* bytes of the open entry that went out */
} PipeSink;

static bool pipe_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error)
{
    PipeSink *pipe_sink = (PipeSink *)sink;

    if (!S_ISREG(entry->node->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: not a file but a %s", entry->path,
                    node_type_name(entry->node));
        return false;
    }
    pipe_sink->written = 0;
    *ret_handle = pipe_sink;
    return true;
}

static bool put(PipeSink *sink, const char *data, size_t len, GError **error)
{
    if (!outlet_write(sink->out, data, len, error))
        return false;
    sink->written += len;
    return true;
}

static bool fill_with_zeros(PipeSink *sink, uint64_t end, GError **error)
{
    static const char zeros[64 * 1024];

    while (sink->written < end)
        if (!put(sink, zeros, MIN(sizeof zeros, end - sink->written), error))
            return false;
    return true;
}

static bool pipe_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                       GError **error)
{
    PipeSink *pipe_sink = handle;

    (void)sink;
    g_assert(offset >= pipe_sink->written);
    return fill_with_zeros(pipe_sink, offset, error) && put(pipe_sink, data, len, error);
}

static bool pipe_end(Sink *sink, void *handle, const Node *node, GError **error)
{
    (void)sink;
    return !node || fill_with_zeros(handle, node->size, error);
}

static void pipe_abandon(Sink *sink, void *handle)
{
    (void)sink;
    (void)handle;
}

static bool pipe_finish(Sink *sink, GError **error)
{
    (void)sink;
    (void)error;
    return true;
}

static void pipe_free(Sink *sink)
{
    g_free(sink);
}

static const SinkOps pipe_ops = {
    .name = "pipe",
    .begin = pipe_begin,
    .write = pipe_write,
    .end = pipe_end,
    .abandon = pipe_abandon,
    .finish = pipe_finish,
    .free = pipe_free,
};

Sink *pipe_sink_new(Outlet *out)
{
    PipeSink *sink = g_new0(PipeSink, 1);

    sink->base.ops = &pipe_ops;
    sink->out = out;
    return &sink->base;
}
