/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/pipesink.h"
#include "base/error.h"
#include <errno.h>

typedef struct {
    Sink base;
    int fd;
    const Cancel *cancel;
    char *name;
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
    while (len > 0) {
        ssize_t n = cancel_write(sink->cancel, sink->fd, data, len);

        if (n < 0 && errno == ECANCELED)
            return cancel_check(sink->cancel, error);
        if (n < 0 && errno == EPIPE) {
            g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "%s: broken pipe", sink->name);
            return false;
        }
        if (n <= 0) {
            bs_error_errno(error, n < 0 ? errno : EIO, "write %s", sink->name);
            return false;
        }
        data += n;
        len -= (size_t)n;
        sink->written += (uint64_t)n;
    }
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
    g_free(((PipeSink *)sink)->name);
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

Sink *pipe_sink_new(int fd, const char *name, const Cancel *cancel)
{
    PipeSink *sink = g_new0(PipeSink, 1);

    sink->base.ops = &pipe_ops;
    sink->fd = fd;
    sink->cancel = cancel;
    sink->name = g_strdup(name);
    return &sink->base;
}
