/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/wall.h"
#include <stdbool.h>

#define DAY 86400

static int64_t offset_at(int64_t at, GTimeZone *zone)
{
    if (!zone)
        return 0;
    return g_time_zone_get_offset(zone, g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at));
}

int64_t wall_from_time(int64_t at, GTimeZone *zone)
{
    at = CLAMP(at, WALL_FIRST, WALL_LAST);
    return CLAMP(at + offset_at(at, zone), WALL_FIRST, WALL_LAST);
}

int64_t wall_to_time(int64_t wall, GTimeZone *zone)
{
    wall = CLAMP(wall, WALL_FIRST, WALL_LAST);

    // offsets are at most a day (RFC 8536), so one of these two is in force
    int64_t before = offset_at(wall - DAY, zone);
    int64_t after = offset_at(wall + DAY, zone);
    int64_t early = wall - MAX(before, after);
    int64_t late = wall - MIN(before, after);
    bool only_late_is_right =
        wall_from_time(early, zone) != wall && wall_from_time(late, zone) == wall;

    return only_late_is_right ? late : early;
}
