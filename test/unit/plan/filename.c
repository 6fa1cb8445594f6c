/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/filename.h"
#include "base/error.h"

static char *made(const char *pattern, const char *name)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Berlin");
    FilenameParts parts = { name,       "nightly", "shop db/2", "0123456789abcdef0123456789abcdef",
                            1776909600, zone }; // 2026-04-23 02:00 UTC

    return filename_make(pattern, &parts);
}

static void names_are_made_by_patterns(void)
{
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        { "{name}-{timestamp}.dump", "app-2026-04-23T02-00-00Z.dump" },
        { "{name}_backup_{year}{month}{day}_{hour}{minute}{second}.tar.gz",
          "app_backup_20260423_040000.tar.gz" },
        { "{year}/{month}/{schedule}-{date}-{database}.sql.gz",
          "2026/04/nightly-2026-04-23-shop_db_2.sql.gz" },
        { "{run}.tar", "0123456789abcdef0123456789abcdef.tar" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = made(cases[i].pattern, "app");

        g_assert_true(filename_check(cases[i].pattern, NULL));
        g_assert_cmpstr(name, ==, cases[i].want);
        g_assert_true(filename_fits(cases[i].pattern, name));
    }
}

static void bad_patterns_are_refused(void)
{
    static const char *const cases[] = {
        "",           "{name}.dump",        "{nam}-{date}", "/{date}", "a//{date}",     "../{date}",
        "{date}/./x", "{name} {date}.dump", "{date",        "{date}/", "{year}{month}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i]);
        g_assert_false(filename_check(cases[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
    }
}

static void other_names_do_not_fit(void)
{
    static const char pattern[] = "{year}/{name}-{timestamp}.dump";
    static const char *const cases[] = {
        "2026/app-2026-04-23T02-00-00Z.dump.txt",
        "x2026/app-2026-04-23T02-00-00Z.dump",
        "2026/app-2026-04-23.dump",
        "2026/a/b-2026-04-23T02-00-00Z.dump",
        "2026/app-2026-04-23T02-00-00Zxdump",
        "2026/-2026-04-23T02-00-00Z.dump\n",
        "notes.txt",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_false(filename_fits(pattern, cases[i]));
}

static void folders_are_what_all_names_share(void)
{
    static const char *const cases[][2] = { { "{name}-{date}", "" },
                                            { "a/b/{date}", "a/b/" },
                                            { "a/b{date}/c", "a/" } };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = filename_folder(cases[i][0]);

        g_assert_cmpstr(folder, ==, cases[i][1]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/filename/made", names_are_made_by_patterns);
    g_test_add_func("/filename/refused", bad_patterns_are_refused);
    g_test_add_func("/filename/others", other_names_do_not_fit);
    g_test_add_func("/filename/folder", folders_are_what_all_names_share);
    return g_test_run();
}
