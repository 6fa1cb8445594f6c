/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallag.h"

#include "base/error.h"

#define KIB UINT64_C(1024)

static void limits_are_sizes_and_seconds(void)
{
    static const struct {
        const char *text;
        bool ok, is_seconds;
        uint64_t value;
    } cases[] = {
        { "16MiB", true, false, 16 * KIB * KIB },
        { "16M", true, false, 16 * KIB * KIB },
        { "1GiB", true, false, KIB * KIB * KIB },
        { "0", true, false, 0 },
        { "60s", true, true, 60 },
        { "0s", true, true, 0 },
        { "", false, false, 0 },
        { "s", false, false, 0 },
        { "iB", false, false, 0 },
        { "-1s", false, false, 0 },
        { "1.5s", false, false, 0 },
        { "16MB", false, false, 0 },
        { "99999999999999999999s", false, false, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        WalLagLimit limit = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(wal_lag_limit_parse(cases[i].text, &limit, &error), ==, cases[i].ok);
        if (!cases[i].ok) {
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
            continue;
        }
        g_assert_cmpint(limit.seconds_given, ==, cases[i].is_seconds);
        g_assert_cmpint(limit.bytes_given, ==, !cases[i].is_seconds);
        g_assert_cmpuint(cases[i].is_seconds ? (uint64_t)limit.seconds : limit.bytes, ==,
                         cases[i].value);
    }
}

static void each_limit_counts(void)
{
    static const struct {
        const char *label;
        bool held;
        uint64_t bytes;
        int64_t seconds;
        WalLagLimit limit;
        bool within;
    } cases[] = {
        { "no limit", true, 999, 999, { 0 }, true },
        { "no limit, and nothing is held", false, 0, 0, { 0 }, true },
        { "just at the limits", true, 10, 5, { true, true, 10, 5 }, true },
        { "a byte more", true, 11, 5, { true, true, 10, 5 }, false },
        { "a second more", true, 10, 6, { true, true, 10, 5 }, false },
        { "only bytes are limited", true, 1, 999, { true, false, 10, 0 }, true },
        { "only seconds are", true, 999, 1, { false, true, 0, 5 }, true },
        { "nothing is held", false, 0, 0, { false, true, 0, 5 }, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        WalLag lag = { .held = cases[i].held,
                       .bytes = cases[i].bytes,
                       .seconds = cases[i].seconds };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(wal_lag_within(&lag, &cases[i].limit, &error), ==, cases[i].within);
        g_assert_cmpint(bs_error_exit_status(error), ==, cases[i].within ? 0 : 32);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wallag/limits", limits_are_sizes_and_seconds);
    g_test_add_func("/wallag/within", each_limit_counts);
    return g_test_run();
}
