/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/wall.h"

static int64_t utc(const char *text)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, zone);

    g_assert_nonnull(date);
    return g_date_time_to_unix(date);
}

/* Expected values: tz database, zdump -v. */
static const struct {
    const char *label;
    const char *zone;
    const char *moment;
    const char *wall;
    const char *back; // the moment that the wall time means
} cases[] = {
    { "winter", "Europe/Berlin", "2026-01-15T12:00:00Z", "2026-01-15T13:00:00Z",
      "2026-01-15T12:00:00Z" },
    { "summer", "Europe/Berlin", "2026-07-15T12:00:00Z", "2026-07-15T14:00:00Z",
      "2026-07-15T12:00:00Z" },
    { "last second before spring", "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z",
      "2026-03-29T00:59:59Z" },
    { "first second of summer time", "Europe/Berlin", "2026-03-29T01:00:00Z",
      "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z" },
    { "autumn, shown the first time", "Europe/Berlin", "2026-10-25T00:30:00Z",
      "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z" },
    { "autumn, shown the second time", "Europe/Berlin", "2026-10-25T01:30:00Z",
      "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z" },
    { "autumn, behind the overlap", "Europe/Berlin", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z",
      "2026-10-25T02:00:00Z" },
    { "half an hour of summer time", "Australia/Lord_Howe", "2026-10-03T15:30:00Z",
      "2026-10-04T02:30:00Z", "2026-10-03T15:30:00Z" },
    { "a day the calendar skipped", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00Z",
      "2011-12-30T10:00:00Z" },
    { "far behind the table of the zone", "Europe/Berlin", "2060-07-15T12:00:00Z",
      "2060-07-15T14:00:00Z", "2060-07-15T12:00:00Z" },
    { "no zone is UTC", NULL, "2026-07-15T12:00:00Z", "2026-07-15T12:00:00Z",
      "2026-07-15T12:00:00Z" },
};

static void wall_follows_the_zone(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GTimeZone) zone =
            cases[i].zone ? g_time_zone_new_identifier(cases[i].zone) : NULL;
        int64_t wall = utc(cases[i].wall);

        g_test_message("%s", cases[i].label);
        g_assert_true(!cases[i].zone || zone);
        g_assert_cmpint(wall_from_time(utc(cases[i].moment), zone), ==, wall);
        g_assert_cmpint(wall_to_time(wall, zone), ==, utc(cases[i].back));
    }
}

static void a_skipped_wall_time_means_the_earlier_moment(void)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Berlin");

    // 02:30 with the offset of summer; with that of winter it would be 01:30 UTC
    g_assert_cmpint(wall_to_time(utc("2026-03-29T02:30:00Z"), zone), ==,
                    utc("2026-03-29T00:30:00Z"));
}

static void the_ends_of_the_calendar_hold(void)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Asia/Tokyo");

    g_assert_cmpint(wall_from_time(INT64_MIN, NULL), ==, WALL_FIRST);
    g_assert_cmpint(wall_from_time(INT64_MAX, zone), ==, WALL_LAST);
    g_assert_cmpint(wall_to_time(INT64_MAX, NULL), ==, WALL_LAST);
    g_assert_cmpint(wall_to_time(INT64_MIN, zone), <, WALL_FIRST);
    g_assert_cmpint(WALL_FIRST, ==, utc("0001-01-01T00:00:00Z"));
    g_assert_cmpint(WALL_LAST, ==, utc("9999-12-31T23:59:59Z"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wall/follows-the-zone", wall_follows_the_zone);
    g_test_add_func("/wall/skipped-means-earlier", a_skipped_wall_time_means_the_earlier_moment);
    g_test_add_func("/wall/ends-hold", the_ends_of_the_calendar_hold);
    return g_test_run();
}
