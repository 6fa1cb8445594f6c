/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/rfc3339.h"
#include "base/error.h"
#include <string.h>

#define DAY               86400
#define DAYS_OF_400_YEARS 146097

typedef struct {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
} Date;

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days since 0000-01-01 of the Gregorian calendar, for years 0..9999. */
static int64_t days_before_year(int64_t year)
{
    return year == 0 ? 0 : 365 * year + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
}

static int64_t days_from_date(Date date)
{
    int64_t days = days_before_year(date.year) + date.day - 1;

    for (unsigned month = 1; month < date.month; month++)
        days += days_in_month(date.year, month);
    return days;
}

static Date date_from_days(int64_t days)
{
    int64_t cycle = days / DAYS_OF_400_YEARS - (days % DAYS_OF_400_YEARS < 0 ? 1 : 0);
    int64_t rest = days - cycle * DAYS_OF_400_YEARS;
    Date date = { .year = rest / 366, .month = 1 };

    // too early by at most one year in the 400
    if (days_before_year(date.year + 1) <= rest)
        date.year++;
    rest -= days_before_year(date.year);
    date.year += cycle * 400;
    for (; rest >= days_in_month(date.year, date.month); date.month++)
        rest -= days_in_month(date.year, date.month);
    date.day = (unsigned)rest + 1;
    return date;
}

#define EPOCH 719528 /* days from 0000-01-01 to 1970-01-01 */

/* Only the year changes, as in restic's trees; where it has no 29 February, the day after. */
static Date clamp_year(Date date)
{
    date.year = CLAMP(date.year, 0, 9999);
    if (date.day > days_in_month(date.year, date.month)) {
        date.month++;
        date.day = 1;
    }
    return date;
}

static char *put_number(char *out, unsigned value, unsigned n)
{
    for (unsigned i = n; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + n;
}

size_t rfc3339_format(Timestamp time, char out[RFC3339_MAX])
{
    int64_t days = time.sec / DAY - (time.sec % DAY < 0 ? 1 : 0);
    unsigned second = (unsigned)((time.sec % DAY + DAY) % DAY);
    Date date = clamp_year(date_from_days(days + EPOCH));
    char *p = out;

    p = put_number(p, (unsigned)date.year, 4);
    *p++ = '-';
    p = put_number(p, date.month, 2);
    *p++ = '-';
    p = put_number(p, date.day, 2);
    *p++ = 'T';
    p = put_number(p, second / 3600, 2);
    *p++ = ':';
    p = put_number(p, second / 60 % 60, 2);
    *p++ = ':';
    p = put_number(p, second % 60, 2);
    if (time.nsec > 0) {
        *p++ = '.';
        p = put_number(p, time.nsec, 9);
        while (p[-1] == '0')
            p--;
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

typedef struct {
    const char *at;
    const char *end;
} Cursor;

static bool take(Cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

static bool take_number(Cursor *cursor, unsigned n, unsigned least, unsigned most,
                        unsigned *ret_value)
{
    unsigned value = 0;

    for (unsigned i = 0; i < n; i++, cursor->at++) {
        if (cursor->at == cursor->end || !g_ascii_isdigit(*cursor->at))
            return false;
        value = value * 10 + (unsigned)(*cursor->at - '0');
    }
    *ret_value = value;
    return value >= least && value <= most;
}

static bool take_fraction(Cursor *cursor, uint32_t *ret_nsec)
{
    uint32_t unit = 100000000;
    uint32_t nsec = 0;

    if (!take(cursor, '.')) {
        *ret_nsec = 0;
        return true;
    }
    if (cursor->at == cursor->end || !g_ascii_isdigit(*cursor->at))
        return false;
    for (; cursor->at < cursor->end && g_ascii_isdigit(*cursor->at); cursor->at++) {
        nsec += unit * (uint32_t)(*cursor->at - '0');
        unit /= 10;
    }
    *ret_nsec = nsec;
    return true;
}

/* Seconds east of Greenwich. */
static bool take_offset(Cursor *cursor, int64_t *ret_offset)
{
    bool east;
    unsigned hours;
    unsigned minutes;

    if (take(cursor, 'Z')) {
        *ret_offset = 0;
        return true;
    }
    east = take(cursor, '+');
    if (!east && !take(cursor, '-'))
        return false;
    if (!take_number(cursor, 2, 0, 23, &hours) || !take(cursor, ':') ||
        !take_number(cursor, 2, 0, 59, &minutes))
        return false;
    *ret_offset = (east ? 1 : -1) * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

static bool parse(Cursor *cursor, Timestamp *ret_time)
{
    unsigned year, month, day, hour, minute, second;
    uint32_t nsec;
    int64_t offset;
    Date date;

    if (!take_number(cursor, 4, 0, 9999, &year) || !take(cursor, '-') ||
        !take_number(cursor, 2, 1, 12, &month) || !take(cursor, '-') ||
        !take_number(cursor, 2, 1, days_in_month(year, month), &day) || !take(cursor, 'T') ||
        !take_number(cursor, 2, 0, 23, &hour) || !take(cursor, ':') ||
        !take_number(cursor, 2, 0, 59, &minute) || !take(cursor, ':') ||
        !take_number(cursor, 2, 0, 59, &second) || !take_fraction(cursor, &nsec) ||
        !take_offset(cursor, &offset) || cursor->at != cursor->end)
        return false;
    date = (Date){ year, month, day };
    ret_time->sec = (days_from_date(date) - EPOCH) * DAY + (int64_t)hour * 3600 +
                    (int64_t)minute * 60 + second - offset;
    ret_time->nsec = nsec;
    return true;
}

bool rfc3339_parse(const char *text, size_t len, Timestamp *ret_time, GError **error)
{
    Cursor cursor = { text, text + len };

    if (!parse(&cursor, ret_time)) {
        g_autofree char *shown = g_utf8_make_valid(text, (gssize)MIN(len, RFC3339_MAX));

        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "'%s' is no time of the form 2026-01-31T23:59:59.999999999Z", shown);
        return false;
    }
    return true;
}
