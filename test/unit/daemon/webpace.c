/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webpace.h"

#define KIB INT64_C(1024)

static void who_drips_is_too_slow_some_day(void)
{
    WebPace pace;

    web_pace_begin(&pace, 1000);
    g_assert_false(web_pace_too_slow(&pace, 1000, 0, 32 * KIB));
    // a byte each 29 s: within the spare of 2 MiB, and beyond it
    g_assert_false(web_pace_too_slow(&pace, 1000 + 58000, 2, 32 * KIB));
    g_assert_true(web_pace_too_slow(&pace, 1000 + 87000, 3, 32 * KIB));
    g_assert_false(web_pace_too_slow(&pace, 1000 + 87000, 3, 0));
}

static void the_mean_counts(void)
{
    WebPace pace;

    web_pace_begin(&pace, 1000);
    g_assert_false(web_pace_too_slow(&pace, 1000 + 3600000, 3600 * 32 * KIB, 32 * KIB));
    g_assert_false(web_pace_too_slow(&pace, 1000 + 3660000, 3600 * 32 * KIB, 32 * KIB));
    g_assert_true(web_pace_too_slow(&pace, 1000 + 3670000, 3600 * 32 * KIB, 32 * KIB));
    g_assert_true(web_pace_too_slow(&pace, INT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX));
}

static void what_the_server_takes_does_not_count(void)
{
    WebPace pace;

    web_pace_begin(&pace, 1000);
    web_pace_sleep(&pace, 2000);
    web_pace_wake(&pace, 2000 + 3600000);
    g_assert_false(web_pace_too_slow(&pace, 3000 + 3600000, 0, 32 * KIB));
    web_pace_wake(&pace, 5000 + 3600000);
    g_assert_true(web_pace_too_slow(&pace, 100000 + 3600000, 0, 32 * KIB));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webpace/drips", who_drips_is_too_slow_some_day);
    g_test_add_func("/daemon/webpace/mean", the_mean_counts);
    g_test_add_func("/daemon/webpace/server", what_the_server_takes_does_not_count);
    return g_test_run();
}
