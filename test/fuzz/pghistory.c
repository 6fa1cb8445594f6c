/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a timeline's history: what is accepted is one way without a gap, whose parts say the
 * same of every position. */
#include "pg/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(PgHistory) history =
        pg_history_parse(len ? data[0] + 2u : 2, (const char *)data, len, NULL);
    const PgStretch *stretches;
    size_t n;

    if (!history)
        return 0;
    stretches = pg_history_stretches(history, &n);
    g_assert_cmpuint(n, >=, 2);
    g_assert_cmpuint(stretches[0].begin, ==, 0);
    g_assert_cmpuint(stretches[n - 1].end, ==, UINT64_MAX);
    for (size_t i = 0; i < n; i++) {
        const PgStretch *stretch = &stretches[i];

        if (i > 0)
            g_assert_cmpuint(stretch->begin, ==, stretches[i - 1].end);
        if (stretch->begin < stretch->end)
            g_assert_cmpuint(pg_history_timeline_at(history, stretch->begin), ==,
                             stretch->timeline);
        g_assert_true(pg_history_find(history, stretch->timeline) == stretch);
    }
    return 0;
}
