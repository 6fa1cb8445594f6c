/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/amount.h"
#include "base/error.h"

static void sizes_are_powers_of_1024(void)
{
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {
        { "0", 0 },
        { "532", 532 },
        { "532B", 532 },
        { "532b", 532 },
        { "16K", 16384 },
        { "16k", 16384 },
        { "16M", 16777216 },
        { "3g", 3221225472 },
        { "2T", 2199023255552 },
        { "0016M", 16777216 },
        { "9223372036854775807", INT64_MAX },
        { "8388607T", UINT64_C(8388607) << 40 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t got = 1;

        g_test_message("%s", cases[i].text);
        g_assert_true(size_parse(cases[i].text, &got, NULL));
        g_assert_cmpuint(got, ==, cases[i].want);
    }
}

static void other_sizes_are_refused(void)
{
    static const char *const texts[] = {
        "",
        "K",
        "16KB",
        "16 K",
        "-1",
        "+1",
        "1.5G",
        "5%",
        "0x10",
        "16P",
        "8388608T",
        "9223372036854775808",
        "99999999999999999999999",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        uint64_t got = 1;

        g_test_message("\"%s\"", texts[i]);
        g_assert_false(size_parse(texts[i], &got, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_cmpuint(got, ==, 1);
    }
}

static void sizes_are_printed_with_three_decimals(void)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = {
        { 0, "0 B" },
        { 532, "532 B" },
        { 1023, "1023 B" },
        { 1024, "1.000 KiB" },
        { 1536, "1.500 KiB" },
        { 1048575, "1023.999 KiB" },
        { 1048576, "1.000 MiB" },
        { 1325000000, "1.234 GiB" },
        { UINT64_C(5) << 40, "5.000 TiB" },
        { UINT64_C(5) << 60, "5242880.000 TiB" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = size_format(cases[i].bytes);

        g_assert_cmpstr(got, ==, cases[i].want);
    }
}

static void shares_end_in_percent(void)
{
    static const char *const refused[] = { "",    "%",    "5",    "0%",   "100.1%", "-5%",   "5%%",
                                           " 5%", "nan%", "inf%", "0x5%", "1e1%",   "1.2.3%" };
    double got = 0;

    g_assert_true(percent_parse("5%", &got, NULL));
    g_assert_cmpfloat(got, ==, 5);
    g_assert_true(percent_parse("0.5%", &got, NULL));
    g_assert_cmpfloat(got, ==, 0.5);
    g_assert_true(percent_parse("100%", &got, NULL));
    g_assert_cmpfloat(got, ==, 100);
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("\"%s\"", refused[i]);
        g_assert_false(percent_parse(refused[i], &got, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/amount/powers-of-1024", sizes_are_powers_of_1024);
    g_test_add_func("/amount/others-are-refused", other_sizes_are_refused);
    g_test_add_func("/amount/three-decimals", sizes_are_printed_with_three_decimals);
    g_test_add_func("/amount/shares", shares_end_in_percent);
    return g_test_run();
}
