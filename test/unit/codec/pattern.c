/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/pattern.h"
#include "base/error.h"
#include <glib/gstdio.h>
#include <string.h>

static PatternList *list_of(const char *const *texts, bool ignore_case)
{
    PatternList *list = pattern_list_new(ignore_case);

    for (; *texts; texts++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(pattern_list_add(list, *texts, &error));
        g_assert_no_error(error);
    }
    return list;
}

typedef enum { NO, CHILD, YES } Answer;

static Answer ask(const PatternList *list, const char *path)
{
    bool child = false;
    bool here = pattern_list_match(list, path, &child);

    g_assert_cmpint(pattern_list_match(list, path, NULL), ==, here);
    return here ? YES : child ? CHILD : NO;
}

/* Seen in restic 0.14 (backup --exclude, restore --include) and described in its manual. */
static void one_pattern(void)
{
    static const struct {
        const char *pattern;
        const char *path;
        Answer want;
    } cases[] = {
        { "foo", "/dir1/foo/dir2/file", YES },
        { "foo", "/dir/foo", YES },
        { "foo", "/dir/foobar", CHILD },
        { "foo", "/barfoo", CHILD },
        { "foo/", "/dir/foo", YES },
        { "foo", "dir/foo", YES },
        { "foo", "foo", YES },
        { "*.c", "/a/b.c", YES },
        { "*.c", "/a/b.c/d", YES },
        { "*.c", "/a/b.h", CHILD },
        { "foo/bar", "/x/foo/bar/y", YES },
        { "foo/bar", "/x/foo/y/bar", CHILD },
        { "a/b", "/a/a/b", YES },
        { "b*ash", "/bin/bash", YES },
        { "b*ash", "/bin/ash", CHILD },
        { "/bin", "/bin/bash", YES },
        { "/bin", "/bin", YES },
        { "/bin", "/usr/bin/restic", NO },
        { "/bin", "bin", NO },
        { "/usr/bin", "/usr", CHILD },
        { "/usr/bin", "/us", NO },
        { "/usr/bin", "/usr/lib", NO },
        { "/usr/b*/x", "/usr/bin", CHILD },
        { "/usr/b*/x", "/usr/lib", NO },
        { "/usr/*/f.c", "/usr/lib/f.c", YES },
        { "/usr/*/f.c", "/usr/lib/x/f.c", NO },
        { "/*/f.c", "/usr/f.c/x", YES },
        { "foo/**/bar", "/dir1/foo/dir2/bar/file", YES },
        { "foo/**/bar", "/foo/bar/file", YES },
        { "foo/**/bar", "/tmp/foo/bar", YES },
        { "foo/**/bar", "/tmp/foo/x/y/z/bar", YES },
        { "foo/**/bar", "/bar/foo", CHILD },
        { "foo/**", "/foo", YES },
        { "foo/**", "/foo/x", YES },
        { "**/bar", "/bar", YES },
        { "**/bar", "/x/y/bar", YES },
        { "/home/**/target", "/home", CHILD },
        { "/home/**/target", "/home/a/b", CHILD },
        { "/home/**/target", "/home/a/b/target/x", YES },
        { "/home/**/target", "/root", NO },
        { "/**/a/*/b", "/a/a/x/b", YES },
        { "a/**/b/**/c", "/a/x/b/y/z/c", YES },
        { "foo**", "/foobar", YES },
        { "foo**", "/foo/bar", YES },
        { "foo**x", "/foo/x", CHILD },
        { "/foo/**bar", "/foo/x/bar", NO },
        { "**", "/x", YES },
        { "/**", "/x", YES },
        { "*", "/x", YES },
        { "/", "/x/y", YES },
        { ".", "/x", CHILD },
        { "./foo", "/x/foo", YES },
        { "foo//bar", "/foo/bar", YES },
        { "foo/./bar", "/foo/bar", YES },
        { "foo/../bar", "/bar", YES },
        { "foo/..", "/x", CHILD },
        { "/../bar", "/bar", YES },
        { "..", "/x", CHILD },
        { "../bar", "/bar", CHILD },
        { "\\!bang", "/a/!bang", YES },
        { "#hash", "/a/#hash", YES },
        { "st\\*r", "/a/st*r", YES },
        { "st\\*r", "/a/star", CHILD },
        { "we\\[ird", "/we[ird/file", YES },
        { "b]c", "/b]c", YES },
        { "b\\\\s", "/b\\s", YES },
        { "FOO", "/foo", CHILD },
        { "\xe9", "/a/\xe9", YES },
        { "foo", "/", CHILD },
        { "/foo", "/", CHILD },
        { "*", "/", CHILD },
        { "/", "/", YES },
        { "**", "/", YES },
        { "/**", "/", YES },
        // restic 0.18 lets several "**" be empty only as long as the path is long enough
        { "/t/**/bar/**/z.c", "/t/foo/x/y/bar/z.c", YES },
        { "/t/f.c/**/**", "/t/f.c", YES },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PatternList) list = list_of((const char *[]){ cases[i].pattern, NULL }, false);

        if (g_str_is_ascii(cases[i].pattern))
            g_test_message("%s on %s", cases[i].pattern, cases[i].path);
        g_assert_cmpint(ask(list, cases[i].path), ==, cases[i].want);
    }
}

static void the_last_pattern_that_matches_decides(void)
{
    static const struct {
        const char *label;
        const char *const patterns[5];
        const char *path;
        Answer want;
    } cases[] = {
        { "nothing asked", { NULL }, "/x", NO },
        { "empty patterns do not count", { "", "", NULL }, "/x", NO },
        { "the second one", { "foo", "bar", NULL }, "/bar", YES },
        { "taken back", { "*.c", "!foo.c", NULL }, "/foo.c", NO },
        { "others are not", { "*.c", "!foo.c", NULL }, "/bar.c", YES },
        { "and back again", { "*.c", "!f*.c", "foo.c", NULL }, "/foo.c", YES },
        { "taken back too early", { "!foo.c", "*.c", NULL }, "/foo.c", YES },
        { "taking back alone matches nothing", { "!foo", NULL }, "/foo", NO },
        { "nor below", { "!foo", NULL }, "/bar", NO },
        { "all but one, and what is below it", { "*", "!foo", NULL }, "/foo/x", NO },
        { "a directory taken back holds no anchored ones",
          { "/a/b/c", "!/a/b", NULL },
          "/a/b",
          NO },
        { "any anchored one may match below", { "/a/b", "/c/d", NULL }, "/c", CHILD },
        { "none may", { "/a/b", "/c/d", NULL }, "/e", NO },
        { "later ones may again", { "/a/b", "!/a", "/a/c", NULL }, "/a", CHILD },
        { "the mark alone", { "*", "!", NULL }, "/x", YES },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PatternList) list = list_of(cases[i].patterns, false);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(ask(list, cases[i].path), ==, cases[i].want);
    }
}

static void case_is_ignored_when_told(void)
{
    g_autoptr(PatternList) list =
        list_of((const char *[]){ "FOO/b[A-C]r", "*.TXT", "!keep.txt", NULL }, true);

    g_assert_cmpint(ask(list, "/x/Foo/BAR"), ==, YES);
    g_assert_cmpint(ask(list, "/x/a.tXt"), ==, YES);
    g_assert_cmpint(ask(list, "/x/KEEP.txt"), ==, NO);
    g_assert_cmpint(ask(list, "/x/foo/bdr"), ==, CHILD);
}

static void malformed_patterns_are_named(void)
{
    static const char *const texts[] = {
        "f[a", "foo/[", "\\", "foo/bar\\", "a\\/b", "[a/b]", "!x[", "/[]", "foo[a-]",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(PatternList) list = pattern_list_new(false);
        g_autoptr(GError) error = NULL;

        g_assert_false(pattern_list_add(list, texts[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, texts[i]));
        g_assert_true(pattern_list_is_empty(list));
    }
}

static char *read_lines(const char *text, gssize len, GError **error)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("pattern-XXXXXX", &path, NULL);
    g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func(g_free);
    bool good;

    g_assert_cmpint(fd, >=, 0);
    g_assert_true(g_close(fd, NULL));
    g_assert_true(g_file_set_contents(path, text, len, NULL));
    good = pattern_file_read(path, patterns, error);
    g_assert_true(good || !error || strstr((*error)->message, path));
    (void)g_unlink(path);
    g_ptr_array_add(patterns, NULL);
    return good ? g_strjoinv("|", (char **)patterns->pdata) : NULL;
}

static void files_hold_a_pattern_a_line(void)
{
    static const struct {
        const char *label;
        const char *text;
        const char *want;
    } cases[] = {
        { "nothing", "", "" },
        { "no newline at the end", "a\nb", "a|b" },
        { "white space around", "  a b \t\r\n\n \t\nc\n", "a b|c" },
        { "comments", "# a\n  # b\nc # d\n", "c # d" },
        { "order and negation", "*.c\n!foo.c\n", "*.c|!foo.c" },
        { "variables", "$BS_HOME/x\n${BS_HOME}y\n$BS_EMPTY/z\n$BS_HOME$BS_HOME\n",
          "/home/bob/x|/home/boby|/z|/home/bob/home/bob" },
        { "dollars", "a$$b\n$$BS_HOME\na$\n$.x\n$*\n", "a$b|$BS_HOME|a$|$.x|$*" },
        { "a value is not read again", "$BS_DOLLAR\n", "$BS_HOME #" },
        { "byte order mark", "\xef\xbb\xbf*.c\n", "*.c" },
        { "bytes stay", "\xe9\n", "\xe9" },
    };

    g_assert_true(g_setenv("BS_HOME", "/home/bob", TRUE));
    g_assert_true(g_setenv("BS_EMPTY", "", TRUE));
    g_assert_true(g_setenv("BS_DOLLAR", "$BS_HOME #", TRUE));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);

        g_autofree char *got = read_lines(cases[i].text, -1, &error);

        g_assert_no_error(error);
        g_assert_cmpstr(got, ==, cases[i].want);
    }
}

static void files_in_utf16_are_understood(void)
{
    g_autofree char *little = read_lines("\xff\xfe*\0.\0\xe9\0\n\0", 10, NULL);
    g_autofree char *big = read_lines("\xfe\xff\0*\0.\0\xe9\0\n", 10, NULL);

    g_assert_cmpstr(little, ==, "*.\xc3\xa9");
    g_assert_cmpstr(big, ==, "*.\xc3\xa9");
}

static void files_that_mean_something_else_are_refused(void)
{
    static const struct {
        const char *label;
        const char *text;
        gssize len;
        const char *told;
    } cases[] = {
        { "variable not set", "a\n$BS_NOT_SET/\n", -1, "line 2: the environment has no variable" },
        { "braces left open", "${BS_HOME\n", -1, "line 1: \"${\"" },
        { "no name in braces", "${}\n", -1, "line 1: \"${\"" },
        { "NUL byte", "a\0b\n", 4, "not a text file" },
        { "NUL character",
          "\xff\xfe"
          "a\0\0\0b\0",
          8, "not a text file" },
        { "half a character",
          "\xff\xfe"
          "a",
          3, "not a text file" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_null(read_lines(cases[i].text, cases[i].len, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[i].told));
    }
}

static void a_missing_file_is_told(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) patterns = g_ptr_array_new();

    g_assert_false(pattern_file_read("/nonexistent/patterns", patterns, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pattern/one", one_pattern);
    g_test_add_func("/pattern/last-match-decides", the_last_pattern_that_matches_decides);
    g_test_add_func("/pattern/ignore-case", case_is_ignored_when_told);
    g_test_add_func("/pattern/malformed-are-named", malformed_patterns_are_named);
    g_test_add_func("/pattern/file/a-line-each", files_hold_a_pattern_a_line);
    g_test_add_func("/pattern/file/utf16", files_in_utf16_are_understood);
    g_test_add_func("/pattern/file/refused", files_that_mean_something_else_are_refused);
    g_test_add_func("/pattern/file/missing", a_missing_file_is_told);
    return g_test_run();
}
