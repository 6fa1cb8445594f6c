/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a plain dump, whole and in slices: both see the same tables and pass on the same
 * SQL. */
#include "source/pgscan.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool gather(void *user, const void *data, size_t len, G_GNUC_UNUSED GError **error)
{
    g_byte_array_append(user, data, (guint)len);
    return true;
}

static bool run(const uint8_t *data, size_t len, size_t slice, PgScan *scan, GByteArray *passed)
{
    pg_scan_set_pass(scan, gather, passed);
    for (size_t at = 0; at < len; at += slice)
        if (!pg_scan_feed(scan, data + at, MIN(slice, len - at), NULL))
            return false;
    return pg_scan_finish(scan, NULL);
}

static void assert_same_tables(const PgScan *a, const PgScan *b)
{
    const GPtrArray *left = pg_scan_tables(a), *right = pg_scan_tables(b);

    g_assert_cmpuint(left->len, ==, right->len);
    for (guint i = 0; i < left->len; i++) {
        const PgScanTable *one = left->pdata[i], *other = right->pdata[i];

        g_assert_cmpstr(one->name, ==, other->name);
        g_assert_cmpuint(one->rows, ==, other->rows);
        g_assert_true(id_equal(&one->sha256, &other->sha256));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(PgScan) whole = pg_scan_new(), sliced = pg_scan_new();
    g_autoptr(GByteArray) passed = g_byte_array_new(), again = g_byte_array_new();
    bool ok = run(data, len, MAX(len, 1), whole, passed);

    g_assert_true(run(data, len, 3, sliced, again) == ok);
    if (!ok)
        return 0;
    assert_same_tables(whole, sliced);
    g_assert_cmpmem(passed->data, passed->len, again->data, again->len);
    return 0;
}
