/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runhistory.h"

#include "op/runevents.h"
#include "plan/amount.h"
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

uint64_t run_history_median(const uint64_t *sizes, size_t n)
{
    g_autofree uint64_t *sorted = NULL;

    if (n == 0)
        return 0;
    sorted = g_memdup2(sizes, n * sizeof *sizes);
    qsort(sorted, n, sizeof *sorted, compare);
    return n % 2 ? sorted[n / 2] : sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2;
}

GArray *run_history_of(const json_t *sizes, size_t from)
{
    GArray *history = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (size_t i = from; i < json_array_size(sizes); i++) {
        uint64_t bytes = (uint64_t)json_integer_value(json_array_get(sizes, i));

        g_array_append_val(history, bytes);
    }
    return history;
}

static uint64_t median_of(const GArray *history)
{
    return run_history_median((const uint64_t *)(const void *)history->data, history->len);
}

bool run_history_shrank(const json_t *sizes)
{
    g_autoptr(GArray) before = run_history_of(sizes, 1);
    uint64_t bytes = (uint64_t)json_integer_value(json_array_get(sizes, 0));
    uint64_t median = median_of(before);

    return median > 0 && bytes < median - median / 2;
}

json_t *run_history_warning(const char *source, uint64_t bytes, const GArray *history)
{
    uint64_t median = median_of(history);
    g_autofree char *size = size_format(bytes), *usual = size_format(median), *text = NULL;

    if (bytes > 0 && bytes >= median - median / 2)
        return NULL;
    if (history->len == 0)
        text = g_strdup_printf("%s: the backup holds no data at all", source);
    else
        text = g_strdup_printf("%s: the backup has %s, the median of the last %u is %s", source,
                               size, history->len, usual);
    return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I}", "message_type", "warning", "message",
                     run_event_text(text), "source", run_event_text(source), "condition", "shrunk",
                     "bytes", (json_int_t)bytes, "median", (json_int_t)median, "runs",
                     (json_int_t)history->len);
}
