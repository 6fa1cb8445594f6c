/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/duration.h"
#include "base/error.h"
#include "plan/wall.h"

#define NUMBER_MAX 99999
#define HOUR       3600
#define DAY        86400

static bool parse_number(const char **at, int *ret_number)
{
    const char *c = *at;
    int number = 0;

    for (; g_ascii_isdigit(*c); c++) {
        number = number * 10 + (*c - '0');
        if (number > NUMBER_MAX)
            return false;
    }
    if (c == *at)
        return false;
    *at = c;
    *ret_number = number;
    return true;
}

static bool parse_pairs(const char *text, Duration *ret_duration)
{
    Duration duration = { 0 };
    const struct {
        char unit;
        int *number;
    } units[] = {
        { 'y', &duration.years },
        { 'm', &duration.months },
        { 'd', &duration.days },
        { 'h', &duration.hours },
    };
    unsigned seen = 0;

    do {
        int number;
        size_t i = 0;

        if (!parse_number(&text, &number))
            return false;
        while (i < G_N_ELEMENTS(units) && units[i].unit != *text)
            i++;
        if (i == G_N_ELEMENTS(units) || (seen & 1u << i))
            return false;
        seen |= 1u << i;
        *units[i].number = number;
        text++;
    } while (*text);
    *ret_duration = duration;
    return true;
}

bool duration_parse(const char *text, Duration *ret_duration, GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text));

    if (parse_pairs(stripped, ret_duration))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "\"%s\" is not a duration; write numbers up to %d, each with y, m, d or h, "
                "such as 1y5m7d2h",
                text, NUMBER_MAX);
    return false;
}

bool duration_is_zero(const Duration *duration)
{
    return !duration->years && !duration->months && !duration->days && !duration->hours;
}

/* WALL_FIRST - 1 where there is no such date. */
static int64_t wall_days_before(const Duration *duration, int64_t wall)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(wall);
    int64_t second = wall - WALL_FIRST;
    int64_t month = (int64_t)g_date_time_get_year(date) * 12 + g_date_time_get_month(date) - 1 -
                    (int64_t)duration->years * 12 - duration->months;

    if (month < 12)
        return WALL_FIRST - 1;

    g_autoptr(GDateTime) first =
        g_date_time_new_utc((int)(month / 12), (int)(month % 12) + 1, 1, 0, 0, 0);
    int64_t day = g_date_time_get_day_of_month(date) - 1 - duration->days;

    return g_date_time_to_unix(first) + day * DAY + second % DAY;
}

int64_t duration_before(const Duration *duration, int64_t at, GTimeZone *zone)
{
    at = CLAMP(at, WALL_FIRST, WALL_LAST);
    if (duration->years || duration->months || duration->days) {
        int64_t wall = wall_days_before(duration, wall_from_time(at, zone));

        if (wall < WALL_FIRST)
            return INT64_MIN;
        at = wall_to_time(wall, zone);
    }
    return at - (int64_t)duration->hours * HOUR;
}

char *duration_format(const Duration *duration)
{
    GString *text = g_string_new(NULL);

    if (duration->years)
        g_string_append_printf(text, "%dy", duration->years);
    if (duration->months)
        g_string_append_printf(text, "%dm", duration->months);
    if (duration->days)
        g_string_append_printf(text, "%dd", duration->days);
    if (duration->hours || !text->len)
        g_string_append_printf(text, "%dh", duration->hours);
    return g_string_free(text, FALSE);
}
