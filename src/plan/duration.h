/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar durations as restic writes them in --keep-within: 1y5m7d2h. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int years, months, days, hours;
} Duration;

/* BS_ERROR_USAGE for anything but pairs of number and y, m, d, h, each unit once and in any order;
 * each number up to 99999. White space around the text does not count. */
bool duration_parse(const char *text, Duration *ret_duration, GError **error);
bool duration_is_zero(const Duration *duration);
/*
 * Unix seconds of the moment that lies this long before at, by calendar in the zone (NULL: UTC).
 * Years, months and days move the date: a month before 31 March is "31 February", 3 March, as in
 * restic. Where the wall clock shows the result twice or never, the earlier moment counts. Hours
 * are 3600 seconds. INT64_MIN where the calendar ends, before the year 1.
 */
int64_t duration_before(const Duration *duration, int64_t at, GTimeZone *zone);
char *duration_format(const Duration *duration); /* "1y5m7d2h", "0h" for none */
