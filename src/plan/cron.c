/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/cron.h"
#include "plan/wall.h"

#define MINUTE      60
#define HOUR        3600
#define DAY         86400
#define UNIX_EPOCH  719163    /* 1970-01-01 as GDate counts days: 0001-01-01 is day 1 */
#define JUMP_MAX    (2 * DAY) /* no clock was ever moved, or is from UTC, by more than a day */
#define YEARS_AHEAD 50        /* 29 February on a given weekday comes back within 40 */

/* ---- the calendar: wall time, in seconds as if it were UTC ---- */

/* Bits 1 to 31: the days of the date's month, which has len, on which it is due. */
static uint32_t days_of_month(const Cron *cron, const GDate *date, unsigned len)
{
    const uint32_t all = (UINT32_C(2) << len) - 2;
    const unsigned weekday = g_date_get_weekday(date) + 35 - g_date_get_day(date); // of a day 0
    uint32_t by_weekday = 0;

    if (!(cron->months >> (unsigned)g_date_get_month(date) & 1))
        return 0;
    for (unsigned day = 1; day <= len; day++)
        by_weekday |= (cron->weekdays >> (weekday + day) % 7 & 1) << day; // GDate's Sunday is 7
    return all & (cron->either_day ? cron->days | by_weekday : cron->days & by_weekday);
}

/* Seconds of the day, at or after that one. */
static bool time_of_day(const Cron *cron, int64_t from, int64_t *ret_time)
{
    for (int64_t at = (from + MINUTE - 1) / MINUTE * MINUTE; at < DAY;) {
        if (!(cron->hours >> at / HOUR & 1)) {
            at = (at / HOUR + 1) * HOUR;
            continue;
        }
        if (cron->minutes >> at % HOUR / MINUTE & 1) {
            *ret_time = at;
            return true;
        }
        at += MINUTE;
    }
    return false;
}

static int64_t floor_day(int64_t wall)
{
    return wall / DAY - (wall % DAY < 0 ? 1 : 0);
}

/* The first matching wall time in from <= wall < end. Month by month: a 29 February that is a
 * Monday may be decades away. */
static bool wall_next(const Cron *cron, int64_t from, int64_t end, int64_t *ret_wall)
{
    GDate date;
    int64_t time;

    for (int64_t day = floor_day(from); day * DAY < end;) {
        int64_t before; // the month
        uint32_t days;
        unsigned len;

        g_date_clear(&date, 1);
        g_date_set_julian(&date, (guint32)(day + UNIX_EPOCH));
        before = day - g_date_get_day(&date);
        len = g_date_get_days_in_month(g_date_get_month(&date), g_date_get_year(&date));
        days = days_of_month(cron, &date, len);
        for (int on = g_bit_nth_lsf(days, (int)(day - before) - 1); on >= 0;
             on = g_bit_nth_lsf(days, on)) {
            if (!time_of_day(cron, MAX(from - (before + on) * DAY, 0), &time))
                continue;
            *ret_wall = (before + on) * DAY + time;
            return *ret_wall < end;
        }
        day = before + len + 1;
    }
    return false;
}

/* ---- the zone: intervals in which its clock goes on without a jump ---- */

typedef struct {
    int64_t begin, end; /* Unix seconds */
    int64_t offset;     /* s, of the wall from UTC */
} Interval;

static int interval_at(GTimeZone *zone, int64_t at)
{
    return g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at);
}

static int64_t offset_at(GTimeZone *zone, int64_t at)
{
    return zone ? g_time_zone_get_offset(zone, interval_at(zone, at)) : 0;
}

/* From same (where the interval is number), towards other, where it is another: the last moment
 * that is still in it. */
static int64_t edge(GTimeZone *zone, int number, int64_t same, int64_t other)
{
    while (same - other > 1 || other - same > 1) {
        const int64_t middle = same + (other - same) / 2;

        *(interval_at(zone, middle) == number ? &same : &other) = middle;
    }
    return same;
}

/* The interval that at lies in, but no further than to the limits. */
static Interval interval_of(GTimeZone *zone, int64_t at, int64_t first, int64_t last)
{
    Interval interval = { first, last, offset_at(zone, at) };
    int64_t step, probe;
    int number;

    if (!zone)
        return interval;
    number = interval_at(zone, at);
    for (probe = at, step = DAY; probe < last && interval_at(zone, probe) == number; step *= 2)
        probe = MIN(probe + step, last);
    if (interval_at(zone, probe) != number)
        interval.end = edge(zone, number, at, probe) + 1;
    for (probe = at, step = DAY; probe > first && interval_at(zone, probe) == number; step *= 2)
        probe = MAX(probe - step, first);
    if (interval_at(zone, probe) != number)
        interval.begin = edge(zone, number, at, probe);
    return interval;
}

/* The wall time that the clock had come to before the interval began; INT64_MIN: nothing that
 * matters. */
static int64_t shown_before(GTimeZone *zone, const Interval *interval, int64_t first)
{
    int64_t shown = INT64_MIN;

    for (int64_t at = interval->begin; zone && at > first;) {
        const Interval before = interval_of(zone, at - 1, first, at);

        shown = MAX(shown, before.end + before.offset);
        at = before.begin;
    }
    return shown;
}

/* ---- both ---- */

/* In this interval, after that moment. first: nothing before it matters. */
static bool next_within(const Cron *cron, GTimeZone *zone, const Interval *interval, int64_t after,
                        int64_t first, int64_t *ret_at)
{
    const int64_t end = interval->end + interval->offset;
    int64_t from = MAX(interval->begin, after + 1) + interval->offset;
    int64_t wall, skipped;

    if (!cron->elapsed) {
        const int64_t shown = shown_before(zone, interval, first);
        const int64_t begin = interval->begin + interval->offset;

        // what the jump left out is due at its end
        if (shown < begin && shown > INT64_MIN && after < interval->begin &&
            wall_next(cron, shown, begin, &skipped)) {
            *ret_at = interval->begin;
            return true;
        }
        from = MAX(from, shown);
    }
    if (!wall_next(cron, from, end, &wall))
        return false;
    *ret_at = wall - interval->offset;
    return true;
}

/* Over the intervals in which nothing can be due, whatever their clocks show. */
static bool go_near(const Cron *cron, int64_t until, int64_t *at)
{
    int64_t wall;

    if (!wall_next(cron, *at - JUMP_MAX, until + JUMP_MAX, &wall))
        return false;
    *at = MAX(*at, wall - JUMP_MAX);
    return true;
}

bool cron_next(const Cron *cron, GTimeZone *zone, int64_t after, int64_t *ret_at)
{
    const int64_t last = WALL_LAST - DAY;
    int64_t until, at;

    if (after >= last)
        return false;
    after = MAX(after, WALL_FIRST + DAY + JUMP_MAX);
    until = MIN(last, after + YEARS_AHEAD * INT64_C(366) * DAY);
    for (at = after; go_near(cron, until, &at) && at < until;) {
        const int64_t first = at - JUMP_MAX;
        const Interval interval = interval_of(zone, at, first, until);

        if (next_within(cron, zone, &interval, after, first, ret_at))
            return true;
        at = interval.end;
    }
    return false;
}
