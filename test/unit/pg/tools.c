/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tools.h"
#include "base/error.h"
#include <glib/gstdio.h>
#include <string.h>

static void versions_are_read(void)
{
    static const struct {
        const char *text;
        int want;
        const char *major;
    } cases[] = {
        { "15.20 (Debian 15.20-0+deb12u1)", 150020, "15" },
        { "9.6.24", 90624, "9.6" },
        { "10.3", 100003, "10" },
        { "17beta1", 170000, "17" },
        { "18devel", 180000, "18" },
        { "devel", 0, "0.0" },
        { "", 0, "0.0" },
        { "999999999999.1", 0, "0.0" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *major = pg_major_text(cases[i].want);

        g_assert_cmpint(pg_version_parse(cases[i].text), ==, cases[i].want);
        g_assert_cmpstr(major, ==, cases[i].major);
    }
    g_assert_cmpint(pg_major(90624), ==, pg_major(90600));
    g_assert_cmpint(pg_major(90624), <, pg_major(100000));
    g_assert_cmpint(pg_major(150020), ==, pg_major(150001));
}

/* A program that says it is pg_dump of that version. */
static void fake(const char *directory, const char *version, char **ret_bin)
{
    g_autofree char *bin = g_build_filename(directory, version, NULL);
    g_autofree char *path = g_build_filename(bin, "pg_dump", NULL);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho 'pg_dump (PostgreSQL) %s'\n", version);

    g_assert_cmpint(g_mkdir(bin, 0700), ==, 0);
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    *ret_bin = g_steal_pointer(&bin);
}

static void smallest_version_that_is_not_too_old(void)
{
    g_autofree char *directory = g_dir_make_tmp("pg-tools-XXXXXX", NULL);
    g_autofree char *a = NULL, *b = NULL, *c = NULL, *list = NULL;
    static const struct {
        int server;
        const char *want;
    } cases[] = { { 910005, "91.7" }, { 910009, "91.7" }, { 920000, "93.0" }, { 940000, NULL } };

    fake(directory, "93.0", &a);
    fake(directory, "91.7", &b);
    fake(directory, "90.1", &c);
    list = g_strjoin(":", a, b, c, NULL);
    g_setenv("BACKSTAY_PG_BIN", list, TRUE);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgTool) tool = pg_tool_find("pg_dump", cases[i].server, &error);

        if (cases[i].want) {
            g_assert_no_error(error);
            g_assert_cmpstr(tool->version_text, ==, cases[i].want);
            continue;
        }
        g_assert_error(error, BS_ERROR, BS_ERROR_VERSION);
        g_assert_nonnull(strstr(error->message, "PostgreSQL 94 "));
        g_assert_nonnull(strstr(error->message, "93.0"));
        g_assert_nonnull(strstr(error->message, "postgresql-client-94"));
    }
    g_unsetenv("BACKSTAY_PG_BIN");
}

static void debians_wrapper_is_not_taken(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgTool) tool = pg_tool_find("pg_dump", 90600, &error);

    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(tool->path, "/usr/lib/postgresql/"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tools/versions are read", versions_are_read);
    g_test_add_func("/tools/smallest version that is not too old",
                    smallest_version_that_is_not_too_old);
    g_test_add_func("/tools/debians wrapper is not taken", debians_wrapper_is_not_taken);
    return g_test_run();
}
