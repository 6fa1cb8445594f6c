/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wall time: what a clock on the wall of a time zone shows, counted in seconds as if it were UTC.
 * Days and hours of the wall are then plain divisions. A zone of NULL is UTC. Times outside the
 * years 1 to 9999 are moved to their edge, so that every result is a date GDateTime can hold.
 */
#pragma once
#include <glib.h>
#include <stdint.h>

#define WALL_FIRST INT64_C(-62135596800) /* 0001-01-01 00:00:00 */
#define WALL_LAST  INT64_C(253402300799) /* 9999-12-31 23:59:59 */

int64_t wall_from_time(int64_t at, GTimeZone *zone);
/* Where the wall shows a time twice, or skips it, the earlier of the two moments it can mean. */
int64_t wall_to_time(int64_t wall, GTimeZone *zone);
