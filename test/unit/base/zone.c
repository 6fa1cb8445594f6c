/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

static int offset_in_winter(GTimeZone *zone)
{
    return g_time_zone_get_offset(
        zone, g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, 1700000000));
}

static void finds_zones_by_name(void)
{
    g_autoptr(GTimeZone) berlin = zone_find("Europe/Berlin"), none = zone_find("Europe/Atlantis");

    g_assert_nonnull(berlin);
    g_assert_cmpint(offset_in_winter(berlin), ==, 3600);
    g_assert_null(none);
}

static void knows_utc_without_tzdata(void)
{
    static const char *const names[] = { "Etc/UTC", "UTC", "Zulu" };

    if (g_test_subprocess()) {
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
            g_autoptr(GTimeZone) zone = zone_find(names[i]);

            g_assert_nonnull(zone);
            g_assert_cmpint(offset_in_winter(zone), ==, 0);
        }
        g_assert_null(zone_find("Europe/Berlin"));
        return;
    }
    g_setenv("TZDIR", "/nonexistent", TRUE);
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_unsetenv("TZDIR");
    g_test_trap_assert_passed();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zone/name", finds_zones_by_name);
    g_test_add_func("/zone/utc", knows_utc_without_tzdata);
    return g_test_run();
}
