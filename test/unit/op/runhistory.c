/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runhistory.h"

#include <stdbool.h>

static void the_median_is_in_the_middle(void)
{
    static const struct {
        uint64_t sizes[5];
        size_t n;
        uint64_t want;
    } cases[] = {
        { { 0 }, 0, 0 },          { { 7 }, 1, 7 },
        { { 9, 1 }, 2, 5 },       { { 100, 1, 10 }, 3, 10 },
        { { 4, 1, 3, 2 }, 4, 2 }, { { UINT64_MAX, UINT64_MAX }, 2, UINT64_MAX },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpuint(run_history_median(cases[i].sizes, cases[i].n), ==, cases[i].want);
}

static void what_shrank_is_told_with_the_numbers(void)
{
    static const struct {
        const char *label;
        uint64_t sizes[3];
        guint n;
        uint64_t bytes;
        bool want;
    } cases[] = {
        { "half of the median is not below half", { 100, 100, 100 }, 3, 50, false },
        { "less is", { 100, 100, 100 }, 3, 49, true },
        { "of an odd one", { 101 }, 1, 50, true },
        { "one outlier does not count", { 1000000, 100, 100 }, 3, 60, false },
        { "more is fine", { 100 }, 1, 1000, false },
        { "without a history there is nothing to compare", { 0 }, 0, 1, false },
        { "but nothing at all is told", { 0 }, 0, 0, true },
        { "always", { 0, 0 }, 2, 0, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        json_t *warning;

        g_test_message("%s", cases[i].label);
        g_array_append_vals(history, cases[i].sizes, cases[i].n);
        warning = run_history_warning("app", cases[i].bytes, history);
        g_assert_cmpint(warning != NULL, ==, cases[i].want);
        if (warning)
            g_assert_cmpint(json_integer_value(json_object_get(warning, "bytes")), ==,
                            (gint64)cases[i].bytes);
        json_decref(warning);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runhistory/median", the_median_is_in_the_middle);
    g_test_add_func("/runhistory/shrunk", what_shrank_is_told_with_the_numbers);
    return g_test_run();
}
