/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/memory_sink.h"
#include "base/error.h"
#include <string.h>

static bool memory_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    MemorySink *sink = (MemorySink *)base;
    MemoryEntry *kept = g_new0(MemoryEntry, 1);

    (void)error;
    kept->path = g_strdup(entry->path);
    kept->mode = entry->node->mode;
    kept->bytes = g_byte_array_new();
    g_ptr_array_add(sink->entries, kept);
    *ret_handle = kept;
    return true;
}

static bool memory_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                         GError **error)
{
    MemorySink *sink = (MemorySink *)base;
    MemoryEntry *entry = handle;

    g_assert_cmpuint(offset, ==, entry->bytes->len);
    sink->written += len;
    if (sink->fail_at && sink->written > sink->fail_at) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE, "the memory sink is full");
        return false;
    }
    g_byte_array_append(entry->bytes, data, (guint)len);
    return true;
}

static bool memory_end(Sink *base, void *handle, const Node *node, GError **error)
{
    MemoryEntry *entry = handle;

    (void)base;
    (void)error;
    entry->ended = true;
    entry->size = node ? node->size : entry->bytes->len;
    return true;
}

/* Entries are known by their path. */
static void memory_enter(Sink *base, void *handle)
{
    (void)base;
    g_assert_false(((MemoryEntry *)handle)->ended);
}

static void memory_abandon(Sink *base, void *handle)
{
    (void)base;
    ((MemoryEntry *)handle)->abandoned = true;
}

static bool memory_finish(Sink *base, GError **error)
{
    (void)error;
    ((MemorySink *)base)->finished = true;
    return true;
}

static void memory_free(Sink *base)
{
    MemorySink *sink = (MemorySink *)base;

    g_ptr_array_unref(sink->entries);
    g_free(sink);
}

static void entry_free(gpointer data)
{
    MemoryEntry *entry = data;

    g_free(entry->path);
    g_byte_array_unref(entry->bytes);
    g_free(entry);
}

static const SinkOps memory_ops = {
    .name = "memory",
    .begin = memory_begin,
    .write = memory_write,
    .enter = memory_enter,
    .end = memory_end,
    .abandon = memory_abandon,
    .finish = memory_finish,
    .free = memory_free,
};

MemorySink *memory_sink_new(void)
{
    MemorySink *sink = g_new0(MemorySink, 1);

    sink->base.ops = &memory_ops;
    sink->entries = g_ptr_array_new_with_free_func(entry_free);
    return sink;
}

const MemoryEntry *memory_sink_find(const MemorySink *sink, const char *path)
{
    for (guint i = 0; i < sink->entries->len; i++) {
        const MemoryEntry *entry = sink->entries->pdata[i];

        if (strcmp(entry->path, path) == 0 && entry->ended)
            return entry;
    }
    return NULL;
}
