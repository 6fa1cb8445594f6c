/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a schedule is due: the five fields of cron (crontab(5): minute, hour, day of the month,
 * month, day of the week) with names, lists, ranges and steps, and @hourly, @daily, @weekly,
 * @monthly and @yearly, read in a time zone. Pure: no clock.
 *
 * A day must match both day fields, or, when neither begins with '*', one of them.
 *
 * Where the zone's clock is moved, two kinds of patterns differ, as in Vixie cron. One whose minute
 * or hour begins with '*' follows the clock as it goes: "every quarter of an hour" is due in an
 * hour that is shown twice both times, and not in one that is left out. Any other names a time of
 * the day: shown twice it is due the first time only, and left out it is due once, right after the
 * jump, however many of its times the jump left out.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t minutes;  /* bits 0 to 59 */
    uint32_t hours;    /* bits 0 to 23 */
    uint32_t days;     /* bits 1 to 31 */
    uint32_t months;   /* bits 1 to 12 */
    uint32_t weekdays; /* bits 0 (Sunday) to 6 */
    bool either_day;   /* one of the day fields is enough */
    bool elapsed;      /* follows the clock as it goes */
} Cron;

/* BS_ERROR_USAGE names the field and says what may stand there. */
bool cron_parse(const char *text, Cron *ret_cron, GError **error);

/* The first time after that one at which it is due: Unix seconds, the same in and out. zone: NULL
 * for UTC. False: never again before the calendar ends, as on 30 February. */
bool cron_next(const Cron *cron, GTimeZone *zone, int64_t after, int64_t *ret_at);
