/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/postmasterpid.h"
#include "base/error.h"
#include <string.h>

static void where_the_server_is(void)
{
    static const struct {
        const char *text;
        int64_t pid;
        unsigned port;
        const char *host;
    } cases[] = {
        { "4711\n/data\n1700000000\n5433\n/run/postgresql\nlocalhost\n  1 2\nready   \n", 4711,
          5433, "/run/postgresql" },
        { "4711\n/data\n1700000000\n5432\n\n*\n  1 2\nready\n", 4711, 5432, "localhost" },
        { "4711\n/data\n1700000000\n5432\n\n0.0.0.0\n", 4711, 5432, "localhost" },
        { "4711\n/data\n1700000000\n5432\n\n192.0.2.1\n", 4711, 5432, "192.0.2.1" },
        { "4711\n/data\n1700000000\n5432\n\n\n", 4711, 5432, NULL },
        { "-4711\n/data\n1700000000\n\n", -4711, 0, NULL },
        { "4711\n", 4711, 0, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(PostmasterPid) got = { 0 };

        g_test_message("%s", cases[i].text);
        g_assert_true(postmaster_pid_parse(cases[i].text, strlen(cases[i].text), &got, NULL));
        g_assert_cmpint(got.pid, ==, cases[i].pid);
        g_assert_cmpuint(got.port, ==, cases[i].port);
        g_assert_cmpstr(got.host, ==, cases[i].host);
    }
}

static void what_is_no_such_file(void)
{
    static const char *const cases[] = { "", "\n", "0\n", "postgres\n", "99999999999\n" };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        PostmasterPid got;

        g_assert_false(postmaster_pid_parse(cases[i], strlen(cases[i]), &got, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pg/postmasterpid/where-the-server-is", where_the_server_is);
    g_test_add_func("/pg/postmasterpid/what-is-no-such-file", what_is_no_such_file);
    return g_test_run();
}
