/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

GTimeZone *zone_find(const char *name)
{
    static const char *const utc[] = { "Etc/UTC",   "UTC",      "Etc/UCT", "UCT", "Etc/Universal",
                                       "Universal", "Etc/Zulu", "Zulu",    NULL };
    GTimeZone *zone = g_time_zone_new_identifier(name);

    return !zone && g_strv_contains(utc, name) ? g_time_zone_new_utc() : zone;
}
