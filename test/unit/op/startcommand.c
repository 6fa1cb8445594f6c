/* SPDX-License-Identifier: Apache-2.0 */
#include "op/startcommand.h"

#include <glib.h>
#include <string.h>

static void assert_names(const char *text, bool want, const char *directory)
{
    g_autofree char *found = NULL;

    g_assert_cmpint(start_config_names_data(text, strlen(text), &found), ==, want);
    g_assert_cmpstr(found, ==, directory);
}

static void finds_what_the_server_would_take(void)
{
    assert_names("data_directory = '/srv/a b'\t# where it lies\n", true, "/srv/a b");
    assert_names("port = 5433\r\n  DATA_directory '/srv/it''s\\'s'\r\n", true, "/srv/it's's");
    assert_names("data_directory=/srv/pg#here", true, "/srv/pg");
    assert_names("data_directory = '/first'\ndata_directory = '/second'\n", true, "/second");
    assert_names("data_directory = '/cut", true, "/cut");
}

static void files_that_are_included_may_name_one(void)
{
    assert_names("include 'other.conf'\n", true, NULL);
    assert_names("include_if_exists = 'other.conf'\n", true, NULL);
    assert_names("\tinclude_dir 'conf.d'\ndata_directory = '/srv'\n", true, "/srv");
}

static void other_lines_name_none(void)
{
    g_autofree char *found = NULL;

    g_assert_false(start_config_names_data(NULL, 0, &found)); // as an empty file is read
    g_assert_null(found);
    assert_names("", false, NULL);
    assert_names("#data_directory = 'ConfigDir'\n # data_directory = '/srv'\n", false, NULL);
    assert_names("data_directory_mode = 0700\nmy.data_directory = '/srv'\n", false, NULL);
    assert_names("log_directory = 'data_directory'\n#include_dir = 'conf.d'\n", false, NULL);
}

static void words_are_quoted_for_both_shells(void)
{
    static const struct {
        const char *pgdata, *config;
        bool name_data;
        const char *want;
    } cases[] = {
        { "/srv/pg", NULL, false, "pg_ctl -D /srv/pg start" },
        { "/srv/pg", NULL, true, "pg_ctl -D /srv/pg -o '-c data_directory=/srv/pg' start" },
        { "/srv/pg", "/etc/pg.conf", true,
          "pg_ctl -D /srv/pg -o '-c config_file=/etc/pg.conf -c data_directory=/srv/pg' start" },
        { "/a b", NULL, true, "pg_ctl -D '/a b' -o '-c data_directory='\\''/a b'\\''' start" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *command =
            start_command(cases[i].pgdata, cases[i].config, cases[i].name_data);

        g_assert_cmpstr(command, ==, cases[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/op/startcommand/names", finds_what_the_server_would_take);
    g_test_add_func("/op/startcommand/includes", files_that_are_included_may_name_one);
    g_test_add_func("/op/startcommand/none", other_lines_name_none);
    g_test_add_func("/op/startcommand/quoted", words_are_quoted_for_both_shells);
    return g_test_run();
}
