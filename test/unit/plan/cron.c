/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/cron.h"
#include "base/error.h"
#include <string.h>

static Cron parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    Cron cron;

    cron_parse(text, &cron, &error);
    g_assert_no_error(error);
    return cron;
}

static void assert_same(const char *text, const char *same)
{
    Cron a = parse(text), b = parse(same);

    g_assert_cmpuint(a.minutes, ==, b.minutes);
    g_assert_cmpuint(a.hours, ==, b.hours);
    g_assert_cmpuint(a.days, ==, b.days);
    g_assert_cmpuint(a.months, ==, b.months);
    g_assert_cmpuint(a.weekdays, ==, b.weekdays);
    g_assert_cmpint(a.either_day, ==, b.either_day);
}

static void one_pattern_has_several_spellings(void)
{
    assert_same("@daily", "0 0 * * *");
    assert_same("@Midnight", "0 0 * * *");
    assert_same("@hourly", "0 * * * *");
    assert_same("@weekly", "0 0 * * sun");
    assert_same("@monthly", "0 0 1 * *");
    assert_same("@yearly", "0 0 1 jan *");
    assert_same(" 0\t3 * *  * ", "0 3 * * *");
    assert_same("*/15 * * * *", "0,15,30,45 * * * *");
    assert_same("5-20/5 1-3 * * *", "5,10,15,20 1,2,3 * * *");
    assert_same("0 0 * JAN-Mar Mon-fri", "0 0 * 1-3 1-5");
    assert_same("0 0 * * 7", "0 0 * * 0");
    assert_same("0 0 * * 5-7", "0 0 * * 0,5,6");
    assert_same("0 0 * * sat-sun", "0 0 * * 6,0");
    assert_same("0 0 * * */2", "0 0 * * 0,2,4,6");
    assert_same("0 0 */10 * *", "0 0 1,11,21,31 * *");
}

static void what_is_no_pattern_is_refused_with_its_field(void)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "five fields" },
        { "0 3 * *", "five fields" },
        { "0 0 3 * * *", "five fields" },
        { "@fortnightly", "five fields" },
        { "60 3 * * *", "minute \"60\"" },
        { "0 24 * * *", "hour \"24\"" },
        { "0 0 0 * *", "day of the month \"0\"" },
        { "0 0 32 * *", "day of the month" },
        { "0 0 * 13 *", "month \"13\"" },
        { "0 0 * january *", "month" },
        { "0 0 * * 8", "day of the week \"8\"" },
        { "0 0 L * *", "day of the month \"L\"" },
        { "0 0 * * mon#2", "not understood" },
        { "5-1 * * * *", "backwards" },
        { "5/10 * * * *", "a step needs a range" },
        { "*/0 * * * *", "not a step" },
        { "*/ * * * *", "not a step" },
        { "1,,2 * * * *", "minute \"\"" },
        { "1- * * * *", "not a range" },
        { "-1 * * * *", "minute \"-1\"" },
        { "99999999999999999999 * * * *", "minute" },
        { "** * * * *", "not understood" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Cron cron;

        g_test_message("%s", cases[i].text);
        g_assert_false(cron_parse(cases[i].text, &cron, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[i].said));
    }
}

static int64_t at(const char *text)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);

    g_assert_nonnull(time);
    return g_date_time_to_unix(time);
}

/* Times after from, joined by spaces: "03-30T01:00Z". */
static char *next_times(const char *text, const char *zone_name, const char *from, unsigned n)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
    GString *times = g_string_new(NULL);
    int64_t time = at(from);
    Cron cron = parse(text);

    g_assert_nonnull(zone);
    for (unsigned i = 0; i < n && cron_next(&cron, zone, time, &time); i++) {
        g_autoptr(GDateTime) shown = g_date_time_new_from_unix_utc(time);
        g_autofree char *word = g_date_time_format(shown, "%m-%dT%H:%MZ");

        g_string_append_printf(times, "%s%s", i ? " " : "", word);
    }
    return g_string_free(times, FALSE);
}

static void the_next_times_are_these(void)
{
    static const struct {
        const char *label, *cron, *zone, *from, *want;
    } cases[] = {
        { "strictly after", "0 3 * * *", "Etc/UTC", "2026-01-01T03:00:00Z", "01-02T03:00Z" },
        { "a second before", "0 3 * * *", "Etc/UTC", "2026-01-01T02:59:59Z", "01-01T03:00Z" },
        { "in the zone", "0 3 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "01-01T21:30Z" },
        { "weekday", "0 3 * * sun", "Etc/UTC", "2026-01-01T00:00:00Z",
          "01-04T03:00Z 01-11T03:00Z" },
        { "either day", "0 0 13 * fri", "Etc/UTC", "2026-02-07T00:00:00Z",
          "02-13T00:00Z 02-20T00:00Z 02-27T00:00Z 03-06T00:00Z 03-13T00:00Z" },
        { "both days", "0 0 */2 * mon", "Etc/UTC", "2026-01-01T00:00:00Z",
          "01-05T00:00Z 01-19T00:00Z" },
        { "leap day", "0 0 29 2 *", "Etc/UTC", "2096-03-01T00:00:00Z", "02-29T00:00Z" },
        { "both days, six years ahead", "0 0 */28 2 sun", "Europe/Berlin", "2026-03-01T00:00:00Z",
          "01-31T23:00Z 02-28T23:00Z" },
        { "never", "0 0 30 2 *", "Etc/UTC", "2026-01-01T00:00:00Z", "" },
        // Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00
        { "a time left out is due after the jump", "30 2 * * *", "Europe/Berlin",
          "2026-03-28T12:00:00Z", "03-29T01:00Z 03-30T00:30Z" },
        { "several times left out are due once", "10,30,50 2 * * *", "Europe/Berlin",
          "2026-03-28T12:00:00Z", "03-29T01:00Z 03-30T00:10Z" },
        { "together with what is due then", "30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
          "03-29T01:00Z 03-29T01:30Z" },
        { "one run at the jump itself", "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
          "03-29T01:00Z 03-30T00:00Z" },
        { "a time shown twice is due the first time", "30 2 * * *", "Europe/Berlin",
          "2026-10-24T12:00:00Z", "10-25T00:30Z 10-26T01:30Z" },
        { "also when asked in between", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z",
          "10-26T01:30Z" },
        { "each hour, shown twice or not", "0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
          "10-25T01:00Z 10-25T02:00Z" },
        { "each half hour in an hour shown twice", "*/30 2 * * *", "Europe/Berlin",
          "2026-10-24T12:00:00Z",
          "10-25T00:00Z 10-25T00:30Z 10-25T01:00Z 10-25T01:30Z 10-26T01:00Z" },
        { "and in one left out", "*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
          "03-30T00:00Z" },
        { "half an hour is moved", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
          "10-03T15:30Z 10-04T15:15Z" },
        { "a day is left out", "0 3 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
          "12-29T13:00Z 12-30T10:00Z 12-30T13:00Z" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const unsigned n = *cases[i].want ? 1 + (unsigned)(strlen(cases[i].want) / 13) : 1;
        g_autofree char *got = next_times(cases[i].cron, cases[i].zone, cases[i].from, n);

        g_test_message("%s", cases[i].label);
        g_assert_cmpstr(got, ==, cases[i].want);
    }
}

static void the_calendar_has_an_end(void)
{
    Cron cron = parse("* * * * *");
    int64_t time;

    g_assert_false(cron_next(&cron, NULL, INT64_MAX, &time));
    g_assert_false(cron_next(&cron, NULL, at("9999-12-31T00:00:00Z"), &time));
    g_assert_true(cron_next(&cron, NULL, INT64_MIN, &time));
    g_assert_true(cron_next(&cron, NULL, at("1969-12-31T23:58:30Z"), &time));
    g_assert_cmpint(time, ==, -60);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cron/spellings", one_pattern_has_several_spellings);
    g_test_add_func("/cron/refused", what_is_no_pattern_is_refused_with_its_field);
    g_test_add_func("/cron/next", the_next_times_are_these);
    g_test_add_func("/cron/end", the_calendar_has_an_end);
    return g_test_run();
}
