/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <glib.h>
#include <time.h>

static void timestamps_compare_by_second_then_nanosecond(void)
{
    static const struct {
        Timestamp a, b;
        int want;
    } cases[] = {
        { { 1, 0 }, { 2, 0 }, -1 },
        { { -1, 999999999 }, { 0, 0 }, -1 },
        { { 1, 5 }, { 1, 6 }, -1 },
        { { 1, 5 }, { 1, 5 }, 0 },
        { { INT64_MIN, 0 }, { INT64_MAX, 0 }, -1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(timestamp_compare(cases[i].a, cases[i].b), ==, cases[i].want);
        g_assert_cmpint(timestamp_compare(cases[i].b, cases[i].a), ==, -cases[i].want);
    }
}

static void unset_it_is_the_wall_clock_and_sleeps(void)
{
    int64_t start_ms = clock_monotonic_ms();
    int64_t before = time(NULL);
    Timestamp now = clock_now();

    g_assert_cmpint(now.sec, >=, before);
    g_assert_cmpint(now.sec, <=, time(NULL) + 1);
    clock_sleep_ms(30);
    g_assert_cmpint(clock_monotonic_ms() - start_ms, >=, 30);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
}

static void set_it_moves_by_sleeping_only(void)
{
    int64_t start_ms = clock_monotonic_ms();
    gint64 real_us = g_get_monotonic_time();
    Timestamp now;

    clock_set((Timestamp){ .sec = 1000, .nsec = 999000000 });
    now = clock_now();
    g_assert_cmpint(now.sec, ==, 1000);
    clock_sleep_ms(2);
    now = clock_now();
    g_assert_cmpint(now.sec, ==, 1001);
    g_assert_cmpuint(now.nsec, ==, 1000000);
    clock_sleep_ms(3600 * 1000);
    g_assert_cmpint(clock_now().sec, ==, 4601);
    g_assert_cmpint(clock_monotonic_ms() - start_ms, >=, 3600 * 1000);
    g_assert_cmpint(g_get_monotonic_time() - real_us, <, 60 * G_USEC_PER_SEC);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/compare", timestamps_compare_by_second_then_nanosecond);
    g_test_add_func("/clock/real", unset_it_is_the_wall_clock_and_sleeps);
    g_test_add_func("/clock/set", set_it_moves_by_sleeping_only);
    return g_test_run();
}
