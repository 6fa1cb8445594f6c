/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/pattern.h"

#include "base/error.h"

/* As psql 15 asks the server: \set ECHO_HIDDEN on, \l PATTERN. */
static void pattern_is_the_expression_that_psql_asks_with(void)
{
    static const struct {
        const char *pattern, *regex;
    } cases[] = {
        { "shop", "^(shop)$" },       { "Shop", "^(shop)$" },
        { "\"Shop\"", "^(Shop)$" },   { "test*", "^(test.*)$" },
        { "t?st", "^(t.st)$" },       { "\"a*b\"", "^(a\\*b)$" },
        { "a$", "^(a\\$)$" },         { "\"$\"", "^(\\$)$" },
        { "a|b", "^(a|b)$" },         { "(a|B)", "^((a|b))$" },
        { "[ab]", "^([ab])$" },       { "a[]", "^(a\\[])$" },
        { "\"a.b\"", "^(a\\.b)$" },   { "\"a\"\"b\"", "^(a\"b)$" },
        { "x\"Y\"Z", "^(xYz)$" },     { "\303\274*", "^(\303\274.*)$" },
        { "\"b\\s\"", "^(b\\\\s)$" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *regex = pg_pattern_regex(cases[i].pattern, &error);

        g_test_message("%s", cases[i].pattern);
        g_assert_no_error(error);
        g_assert_cmpstr(regex, ==, cases[i].regex);
    }
}

static void pattern_that_is_none_is_refused(void)
{
    static const char *const patterns[] = { "", "a.b", "\"a", "\"a\"\"" };

    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", patterns[i]);
        g_assert_null(pg_pattern_regex(patterns[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pattern/is the expression that psql asks with",
                    pattern_is_the_expression_that_psql_asks_with);
    g_test_add_func("/pattern/one that is none is refused", pattern_that_is_none_is_refused);
    return g_test_run();
}
