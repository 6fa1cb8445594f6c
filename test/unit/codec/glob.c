/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/glob.h"
#include <glib.h>
#include <string.h>

static bool valid(const char *pattern)
{
    return glob_is_valid(pattern, pattern + strlen(pattern));
}

static bool matches(const char *pattern, const char *name, bool ignore_case)
{
    g_autofree char *lowered = ignore_case ? glob_lower(pattern) : g_strdup(pattern);

    return glob_matches(lowered, lowered + strlen(lowered), name, name + strlen(name), ignore_case);
}

/* Go documentation, path/filepath, "Match". */
static void the_rules_of_go(void)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool want;
    } cases[] = {
        { "abc", "abc", true },
        { "abc", "ab", false },
        { "ab", "abc", false },
        { "", "", true },
        { "", "a", false },
        { "*", "", true },
        { "*", "abc", true },
        { "**", "abc", true },
        { "*c", "abc", true },
        { "a*", "a", true },
        { "a*", "ba", false },
        { "a*b*c*d*e*", "axbxcxdxexxx", true },
        { "a*b*c*d*e*", "axbxcxdxe", true },
        { "a*b*c*d*e", "axbxcxdxexxx", false },
        { "a*b?c*x", "abxbbxdbxebxczzx", true },
        { "a*b?c*x", "abxbbxdbxebxczzy", false },
        { "*.c", ".c", true },
        { "?", "", false },
        { "?", "a", true },
        { "??", "a", false },
        { "?", "\xc3\xa9", true },
        { "??", "\xc3\xa9", false },
        { "?", "\xe9", true },
        { "??", "\xe6\x97", true },
        { "*?", "\xe6\x97\xa5", true },
        { "*??", "\xe6\x97\xa5", false },
        { "ab[c]", "abc", true },
        { "ab[b-d]", "abc", true },
        { "ab[e-g]", "abc", false },
        { "ab[^c]", "abc", false },
        { "ab[^e-g]", "abc", true },
        { "ab[^e-ga]", "abx", true },
        { "[a-ce]x", "ex", true },
        { "[a-ce]x", "dx", false },
        { "[z-a]", "m", false },
        { "[!a]", "a", true },
        { "[!a]", "b", false },
        { "[[]", "[", true },
        { "[*?]", "*", true },
        { "[*?]", "a", false },
        { "[a]", "", false },
        { "[^a]", "", false },
        { "[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", true },
        { "[^a]", "\xe9", true },
        { "a\\*b", "a*b", true },
        { "a\\*b", "ab", false },
        { "\\a", "a", true },
        { "[\\]a]", "]", true },
        { "[\\-]", "-", true },
        { "[\\-x]", "x", true },
        { "[x\\-]", "-", true },
        { "[x\\-]", "z", false },
        { "a]b", "a]b", true },
        { "*[b]*c", "aabbcc", true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("case %zu: %s", i, g_str_is_ascii(cases[i].pattern) ? cases[i].pattern : "");
        g_assert_true(valid(cases[i].pattern));
        g_assert_cmpint(matches(cases[i].pattern, cases[i].name, false), ==, cases[i].want);
    }
}

static void what_is_left_open_is_not_valid(void)
{
    static const char *const malformed[] = {
        "[",    "[]",   "[]a]", "[^]",  "[^]a]",   "[a",  "[^a", "[a-",   "[a-]", "[a-]x", "[-]",
        "[-x]", "[x-]", "[a-b", "[^bc", "[a-b-c]", "[\\", "\\",  "abc\\", "x[a",  "*[",    "[\xe9]",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        g_test_message("malformed %zu", i);
        g_assert_false(valid(malformed[i]));
    }
}

static void case_is_ignored_character_by_character(void)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool want;
    } cases[] = {
        { "FOO", "foo", true },
        { "foo", "FOO", true },
        { "f\\OO", "fOO", true },
        { "[A-C]*", "bar", true },
        { "[a-c]*", "BAR", true },
        { "[A-C]*", "DAR", false },
        { "\xc3\xbc"
          "ber",
          "\xc3\x9c"
          "BER",
          true }, /* u with diaeresis */
        { "\xc3\x9c*",
          "\xc3\xbc"
          "x",
          true },
        { "[\xc3\x89]", "\xc3\xa9", true }, /* e with acute */
        { "k", "\xe2\x84\xaa", true },      /* Kelvin sign */
        { "\xe9", "\xe9", true },
        { "\xe9", "\xc9", false }, /* bytes that are no UTF-8 have no case */
        { "\xef\xbf\xbd", "\xef", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("case %zu", i);
        g_assert_cmpint(matches(cases[i].pattern, cases[i].name, true), ==, cases[i].want);
    }
}

/* Each further star multiplies the work of a matcher that tries all of them. */
static void many_stars_take_no_time(void)
{
    g_autofree char *name = g_strnfill(250, 'a');
    g_autoptr(GString) pattern = g_string_new(NULL);

    for (int i = 0; i < 80; i++)
        g_string_append(pattern, "a*");
    g_string_append_c(pattern, 'b');
    g_assert_false(matches(pattern->str, name, false));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/glob/rules-of-go", the_rules_of_go);
    g_test_add_func("/glob/left-open", what_is_left_open_is_not_valid);
    g_test_add_func("/glob/ignore-case", case_is_ignored_character_by_character);
    g_test_add_func("/glob/many-stars", many_stars_take_no_time);
    return g_test_run();
}
