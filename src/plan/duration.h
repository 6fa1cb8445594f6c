/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar durations as restic writes them in --keep-within: 1y5m7d2h. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int years, months, days, hours;
} Duration;

/* BS_ERROR_USAGE for anything but pairs of number and y, m, d, h; each number up to 99999. */
bool duration_parse(const char *text, Duration *ret_duration, GError **error);
bool duration_is_zero(const Duration *duration);
/* Unix seconds of the moment that lies this long before at, by calendar in the zone (NULL: UTC). */
int64_t duration_before(const Duration *duration, int64_t at, GTimeZone *zone);
char *duration_format(const Duration *duration); /* "1y5m7d2h", "0h" for none */
