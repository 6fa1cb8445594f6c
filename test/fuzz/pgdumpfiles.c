/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an archive in directory format, each with any name: a byte that chooses how all are
 * cut into slices, then for each file the length of its name, the name, the length of its content
 * in two bytes, and that. Whole and in slices the answer is the same. */
#include "source/pgdumpfiles.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef struct {
    const uint8_t *data;
    size_t len;
} Rest;

static const uint8_t *take(Rest *rest, size_t n)
{
    const uint8_t *at = rest->data;

    rest->data += n;
    rest->len -= n;
    return at;
}

static bool push(PgDumpFiles *files, const char *name, const uint8_t *data, size_t len,
                 size_t slice)
{
    if (!pgdump_files_begin(files, name, NULL))
        return false;
    g_assert_true(pgdump_files_has_name(name) && !strchr(name, '/'));
    for (size_t at = 0; at < len; at += slice)
        if (!pgdump_files_feed(files, data + at, MIN(slice, len - at), NULL))
            return false;
    return pgdump_files_end(files, NULL);
}

static bool run(Rest rest, PgDumpFiles *files, size_t slice)
{
    while (rest.len > 0) {
        uint8_t want = *take(&rest, 1);
        size_t n = MIN(want, rest.len);
        g_autofree char *name = g_strndup((const char *)take(&rest, n), n);
        const uint8_t *size = rest.len >= 2 ? take(&rest, 2) : NULL;
        size_t content = size ? MIN((size_t)(size[0] | size[1] << 8), rest.len) : 0;

        if (!push(files, name, take(&rest, content), content, slice))
            return false;
    }
    return pgdump_files_finish(files, NULL);
}

static void assert_same(const PgDumpFiles *a, const PgDumpFiles *b)
{
    const GPtrArray *left = pgdump_entries(pgdump_files_dump(a));
    const GPtrArray *right = pgdump_entries(pgdump_files_dump(b));
    uint64_t size, other_size;
    Id sum, other_sum;

    g_assert_cmpuint(left->len, ==, right->len);
    for (guint i = 0; i < left->len; i++) {
        const PgDumpEntry *one = left->pdata[i], *other = right->pdata[i];

        g_assert_true(!one->has_data || one->complete);
        g_assert_cmpint(one->rows, ==, other->rows);
        g_assert_cmpuint(one->bytes, ==, other->bytes);
        g_assert_true(!one->hashed || id_equal(&one->sha256, &other->sha256));
    }
    pgdump_files_sum(a, &size, &sum);
    pgdump_files_sum(b, &other_size, &other_sum);
    g_assert_true(size == other_size && id_equal(&sum, &other_sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(PgDumpFiles) whole = pgdump_files_new(), sliced = pgdump_files_new();
    bool ok;

    if (len == 0)
        return 0;
    ok = run((Rest){ data + 1, len - 1 }, whole, SIZE_MAX / 2);
    g_assert_true(run((Rest){ data + 1, len - 1 }, sliced, *data + 1u) == ok);
    if (ok)
        assert_same(whole, sliced);
    return 0;
}
