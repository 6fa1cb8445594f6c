/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/sink.h"

bool sink_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error)
{
    g_assert(entry->path && entry->node);
    return sink->ops->begin(sink, entry, ret_handle, error);
}

bool sink_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                GError **error)
{
    g_assert(len <= UINT64_MAX - offset);
    return sink->ops->write(sink, handle, offset, data, len, error);
}

bool sink_reuse(Sink *sink, void *handle, bool *ret_reused, GError **error)
{
    *ret_reused = false;
    return !sink->ops->reuse || sink->ops->reuse(sink, handle, ret_reused, error);
}

bool sink_has(Sink *sink, void *handle, uint64_t offset, size_t len, const Id *id, bool *ret_has,
              GError **error)
{
    *ret_has = false;
    return !sink->ops->has || sink->ops->has(sink, handle, offset, len, id, ret_has, error);
}

bool sink_can_enter(const Sink *sink)
{
    return sink->ops->enter != NULL;
}

void sink_enter(Sink *sink, void *handle)
{
    sink->ops->enter(sink, handle);
}

void sink_mark(Sink *sink, void *handle)
{
    if (sink->ops->mark)
        sink->ops->mark(sink, handle);
}

bool sink_end(Sink *sink, void *handle, const Node *node, GError **error)
{
    return sink->ops->end(sink, handle, node, error);
}

void sink_abandon(Sink *sink, void *handle)
{
    sink->ops->abandon(sink, handle);
}

bool sink_finish(Sink *sink, GError **error)
{
    return sink->ops->finish(sink, error);
}

void sink_free(Sink *sink)
{
    if (sink)
        sink->ops->free(sink);
}
