/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include "base/error.h"

static void waits_are_durations_of_hours_to_milliseconds(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } cases[] = {
        { "0", 0 },
        { "30s", 30000 },
        { "5m", 300000 },
        { "1h30m", 5400000 },
        { "250ms", 250 },
        { "1000000s", 1000000000 },
        { "", -1 },
        { "5", -1 },
        { "m", -1 },
        { "5x", -1 },
        { "-5m", -1 },
        { "+5m", -1 },
        { " 5m", -1 },
        { "5m ", -1 },
        { "1.5h", -1 },
        { "1000001s", -1 },
        { "99999999999999999999s", -1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int64_t ms = -1;

        g_test_message("\"%s\"", cases[i].text);
        g_assert_cmpint(value_wait(cases[i].text, &ms, &error), ==, cases[i].want >= 0);
        g_assert_cmpint(ms, ==, cases[i].want);
        if (cases[i].want < 0)
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

static void a_deadline_of_nothing_is_one_try(void)
{
    int64_t ms = 5;

    g_assert_true(value_deadline("0", &ms, NULL));
    g_assert_cmpint(ms, ==, -1);
    g_assert_true(value_deadline("0s", &ms, NULL));
    g_assert_cmpint(ms, ==, -1);
    g_assert_true(value_deadline("2m", &ms, NULL));
    g_assert_cmpint(ms, ==, 120000);
    g_assert_false(value_deadline("soon", &ms, NULL));
    g_assert_cmpint(ms, ==, 120000);
}

static void rates_are_kib_a_second(void)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t want;
    } cases[] = {
        { "0", true, 0 },
        { "1", true, 1024 },
        { "2048", true, 2097152 },
        { "1099511627776", true, G_GUINT64_CONSTANT(1) << 50 },
        { "1099511627777", false, 7 },
        { "18446744073709551616", false, 7 },
        { "-1", false, 7 },
        { "1M", false, 7 },
        { "", false, 7 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t bytes = 7;

        g_test_message("\"%s\"", cases[i].text);
        g_assert_cmpint(value_rate(cases[i].text, &bytes, NULL), ==, cases[i].good);
        g_assert_cmpuint(bytes, ==, cases[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/values/wait", waits_are_durations_of_hours_to_milliseconds);
    g_test_add_func("/values/deadline", a_deadline_of_nothing_is_one_try);
    g_test_add_func("/values/rate", rates_are_kib_a_second);
    return g_test_run();
}
