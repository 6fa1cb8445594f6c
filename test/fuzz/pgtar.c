/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a tar stream in two slicings: both see the same entries, whose paths stay inside and
 * whose content is as long as they say. */
#include "pg/tarstream.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef struct {
    GString *seen;
    uint64_t left;
} Trace;

static bool trace_begin(void *user, const TarEntry *entry, GError **error)
{
    Trace *trace = user;

    (void)error;
    g_assert_cmpuint(trace->left, ==, 0);
    g_assert_true(*entry->path && *entry->path != '/');
    g_assert_null(strstr(entry->path, "/../"));
    g_assert_false(g_str_has_prefix(entry->path, "../"));
    g_assert_true(S_ISREG(entry->mode) || entry->size == 0);
    g_assert_true(S_ISLNK(entry->mode) == (entry->target != NULL));
    trace->left = entry->size;
    g_string_append_printf(trace->seen, "%s %o %" G_GUINT64_FORMAT "\n", entry->path, entry->mode,
                           entry->size);
    return true;
}

static bool trace_data(void *user, const void *data, size_t len, GError **error)
{
    Trace *trace = user;

    (void)error;
    g_assert_cmpuint(len, <=, trace->left);
    trace->left -= len;
    g_string_append_len(trace->seen, data, (gssize)len);
    return true;
}

static bool trace_end(void *user, GError **error)
{
    (void)error;
    g_assert_cmpuint(((Trace *)user)->left, ==, 0);
    return true;
}

static const TarReceiver receiver = { trace_begin, trace_data, trace_end };

static bool run(const uint8_t *data, size_t len, size_t slice, GString *seen)
{
    Trace trace = { seen, 0 };
    g_autoptr(TarStream) stream = tar_stream_new(&receiver, &trace);

    for (size_t at = 0; at < len; at += slice)
        if (!tar_stream_feed(stream, data + at, MIN(slice, len - at), NULL))
            return false;
    return tar_stream_finish(stream, true, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GString) whole = g_string_new(NULL), sliced = g_string_new(NULL);
    bool ok = run(data, len, MAX(len, 1), whole);

    g_assert_true(run(data, len, 97, sliced) == ok);
    if (ok)
        g_assert_true(g_string_equal(whole, sliced));
    return 0;
}
