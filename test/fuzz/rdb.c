/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Redis database file in two slicings, with a checksum of none: both see the same
 * keys, whose values are bytes of the file. */
#include "source/rdb.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef struct {
    GString *seen;
    uint64_t keys, bytes;
    bool open;
} Trace;

static bool trace_key(void *user, const RdbKey *key, GError **error)
{
    Trace *trace = user;

    (void)error;
    g_assert_false(trace->open);
    trace->open = true;
    trace->keys++;
    if (trace->seen->len < 1 << 20)
        g_string_append_printf(trace->seen, "%u %zu %u %" G_GINT64_FORMAT "\n", key->database,
                               key->len, key->type, key->expire_ms);
    return true;
}

static bool trace_value(void *user, const void *data, size_t len, GError **error)
{
    Trace *trace = user;

    (void)error;
    g_assert_true(trace->open && data && len > 0);
    trace->bytes += len;
    return true;
}

static bool trace_end(void *user, GError **error)
{
    Trace *trace = user;

    (void)error;
    g_assert_true(trace->open);
    trace->open = false;
    return true;
}

static bool run(const uint8_t *data, size_t len, size_t slice, GString *seen)
{
    Trace trace = { .seen = seen };
    RdbVisitor visitor = { trace_key, trace_value, trace_end, NULL, &trace };
    g_autoptr(RdbWalker) walker = rdb_walker_new(&visitor);
    uint64_t keys = 0;

    for (size_t at = 0; at < len && !rdb_ended(walker); at += slice) {
        size_t used;

        if (!rdb_feed(walker, data + at, MIN(slice, len - at), &used, NULL))
            return false;
        g_assert_true(used == MIN(slice, len - at) || rdb_ended(walker));
    }
    for (guint i = 0; i < rdb_databases(walker)->len; i++)
        keys += g_array_index(rdb_databases(walker), RdbDatabase, i).keys;
    g_assert_cmpuint(keys, ==, trace.keys);
    g_assert_cmpuint(trace.bytes, <=, rdb_size(walker));
    return rdb_finish(walker, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GString) whole = g_string_new(NULL), sliced = g_string_new(NULL);
    bool ok = run(data, len, MAX(len, 1), whole);

    g_assert_true(run(data, len, 3, sliced) == ok);
    if (ok)
        g_assert_true(g_string_equal(whole, sliced));
    return 0;
}
