/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/duration.h"
#include "base/error.h"

static int64_t utc(const char *text)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, zone);

    g_assert_nonnull(date);
    return g_date_time_to_unix(date);
}

static void pairs_of_number_and_unit_are_read(void)
{
    static const struct {
        const char *text;
        Duration want;
        const char *format;
    } cases[] = {
        { "1y5m7d2h", { 1, 5, 7, 2 }, "1y5m7d2h" },
        { "2h7d5m1y", { 1, 5, 7, 2 }, "1y5m7d2h" },
        { "7d", { 0, 0, 7, 0 }, "7d" },
        { "99999h", { 0, 0, 0, 99999 }, "99999h" },
        { "007d", { 0, 0, 7, 0 }, "7d" },
        { " 3m\n", { 0, 3, 0, 0 }, "3m" },
        { "0d", { 0, 0, 0, 0 }, "0h" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Duration got;

        g_test_message("%s", cases[i].text);
        g_assert_true(duration_parse(cases[i].text, &got, &error));
        g_assert_no_error(error);
        g_assert_cmpint(got.years, ==, cases[i].want.years);
        g_assert_cmpint(got.months, ==, cases[i].want.months);
        g_assert_cmpint(got.days, ==, cases[i].want.days);
        g_assert_cmpint(got.hours, ==, cases[i].want.hours);

        g_autofree char *text = duration_format(&got);

        g_assert_cmpstr(text, ==, cases[i].format);
        g_assert_cmpint(duration_is_zero(&got), ==, g_str_equal(text, "0h"));
    }
}

static void anything_else_is_refused(void)
{
    static const char *const texts[] = {
        "",    " ",    "7",   "d",     "7x",   "7D", "-7d",     "+7d",
        "7d3", "1d2d", "1 d", "1d 2h", "1.5d", "1w", "100000h", "99999999999999999999h",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        Duration got = { 1, 2, 3, 4 };

        g_test_message("\"%s\"", texts[i]);
        g_assert_false(duration_parse(texts[i], &got, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_cmpint(got.hours, ==, 4);
    }
}

/* Dates that do not exist: as Go's time.AddDate, which restic uses, documents it. */
static void before_goes_by_the_calendar(void)
{
    static const struct {
        const char *label;
        const char *duration;
        const char *zone;
        const char *at;
        const char *want;
    } cases[] = {
        { "a year", "1y", NULL, "2026-06-15T10:00:00Z", "2025-06-15T10:00:00Z" },
        { "a year before a leap day", "1y", NULL, "2024-02-29T10:00:00Z", "2023-03-01T10:00:00Z" },
        { "four years before a leap day", "4y", NULL, "2024-02-29T10:00:00Z",
          "2020-02-29T10:00:00Z" },
        { "a month before the 31st", "1m", NULL, "2026-03-31T10:00:00Z", "2026-03-03T10:00:00Z" },
        { "a month before the 31st, leap year", "1m", NULL, "2024-03-31T10:00:00Z",
          "2024-03-02T10:00:00Z" },
        { "a month over the year's end", "1m", NULL, "2026-01-10T00:00:00Z",
          "2025-12-10T00:00:00Z" },
        { "25 months", "25m", NULL, "2026-01-10T00:00:00Z", "2023-12-10T00:00:00Z" },
        { "days over a leap day", "1d", NULL, "2024-03-01T00:00:00Z", "2024-02-29T00:00:00Z" },
        { "days over February 1900", "1d", NULL, "1900-03-01T00:00:00Z", "1900-02-28T00:00:00Z" },
        { "all together", "1y5m7d2h", NULL, "2026-06-15T01:00:00Z", "2025-01-07T23:00:00Z" },
        { "hours are hours", "24h", "Europe/Berlin", "2026-03-29T10:00:00Z",
          "2026-03-28T10:00:00Z" },
        { "a day of 23 hours", "1d", "Europe/Berlin", "2026-03-29T10:00:00Z",
          "2026-03-28T11:00:00Z" },
        { "a day of 25 hours", "1d", "Europe/Berlin", "2026-10-25T11:00:00Z",
          "2026-10-24T10:00:00Z" },
        { "an hour the clock skips", "1d", "Europe/Berlin", "2026-03-30T00:30:00Z",
          "2026-03-29T00:30:00Z" },
        { "an hour the clock shows twice", "1d", "Europe/Berlin", "2026-10-26T01:30:00Z",
          "2026-10-25T00:30:00Z" },
        { "the zone decides the day", "1m", "America/New_York", "2026-04-01T02:00:00Z",
          "2026-03-04T03:00:00Z" },
        { "nothing", "0h", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GTimeZone) zone =
            cases[i].zone ? g_time_zone_new_identifier(cases[i].zone) : NULL;
        Duration duration;

        g_test_message("%s", cases[i].label);
        g_assert_true(duration_parse(cases[i].duration, &duration, NULL));
        g_assert_cmpint(duration_before(&duration, utc(cases[i].at), zone), ==, utc(cases[i].want));
    }
}

static void the_calendar_ends_before_the_year_1(void)
{
    int64_t at = utc("2026-06-15T10:00:00Z");

    g_assert_cmpint(duration_before(&(Duration){ .years = 2025 }, at, NULL), ==,
                    utc("0001-06-15T10:00:00Z"));
    g_assert_cmpint(duration_before(&(Duration){ .years = 2026 }, at, NULL), ==, INT64_MIN);
    g_assert_cmpint(duration_before(&(Duration){ 99999, 99999, 99999, 99999 }, at, NULL), ==,
                    INT64_MIN);
    g_assert_cmpint(duration_before(&(Duration){ 2025, 5, 20, 0 }, at, NULL), ==, INT64_MIN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/duration/pairs-are-read", pairs_of_number_and_unit_are_read);
    g_test_add_func("/duration/anything-else-is-refused", anything_else_is_refused);
    g_test_add_func("/duration/before-goes-by-the-calendar", before_goes_by_the_calendar);
    g_test_add_func("/duration/calendar-ends", the_calendar_ends_before_the_year_1);
    return g_test_run();
}
