/* SPDX-License-Identifier: Apache-2.0 */
#include "config/secrets.h"

#include "base/error.h"
#include "lib/tempdir.h"

#define NAME "BACKSTAY_TEST_SECRET"

static void set(const char *suffix, const char *value)
{
    g_autofree char *name = g_strconcat(NAME, suffix, NULL);

    if (value)
        g_assert_true(g_setenv(name, value, TRUE));
    else
        g_unsetenv(name);
}

/* The secret; "(none)"; or NULL with *code. */
static char *get(int *code)
{
    g_autoptr(Secret) secret = NULL;
    g_autoptr(GError) error = NULL;

    *code = -1;
    if (!secret_from_environment(NAME, &secret, &error)) {
        g_assert_cmpint(error->domain, ==, BS_ERROR);
        *code = error->code;
        g_assert_nonnull(strstr(error->message, NAME));
        return NULL;
    }
    return g_strdup(secret ? secret_data(secret) : "(none)");
}

static void a_secret_comes_from_one_place(void)
{
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "secret", NULL);
    g_autofree char *empty = g_build_filename(dir, "empty", NULL);
    g_autofree char *words = g_build_filename(dir, "words", NULL);
    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    const struct {
        const char *label, *plain, *file, *command, *want;
        int code;
    } cases[] = {
        { "nowhere", NULL, NULL, NULL, "(none)", -1 },
        { "empty counts as unset", "", "", "", "(none)", -1 },
        { "the environment", "s3cr/t+", NULL, NULL, "s3cr/t+", -1 },
        { "a file, trimmed", NULL, file, NULL, "from/file=", -1 },
        { "a command, trimmed", NULL, NULL, "printf ' from-command\\n'", "from-command", -1 },
        { "an empty file beside a value", "x", "", NULL, "x", -1 },
        { "environment and file", "x", file, NULL, NULL, BS_ERROR_USAGE },
        { "environment and command", "x", NULL, "echo y", NULL, BS_ERROR_USAGE },
        { "file and command", NULL, file, "echo y", NULL, BS_ERROR_USAGE },
        { "a file that is not there", NULL, missing, NULL, NULL, BS_ERROR_NOT_FOUND },
        { "a file with nothing in it", NULL, empty, NULL, NULL, BS_ERROR_USAGE },
        { "a file with two lines", NULL, words, NULL, NULL, BS_ERROR_USAGE },
        { "a value with a blank", "a b", NULL, NULL, NULL, BS_ERROR_USAGE },
        { "a value with a line break", "a\nx-amz-acl: public-read", NULL, NULL, NULL,
          BS_ERROR_USAGE },
        { "a command that fails", NULL, NULL, "false", NULL, BS_ERROR_FAILED },
    };

    g_assert_true(g_file_set_contents(file, "\xef\xbb\xbf from/file=\r\n", -1, NULL));
    g_assert_true(g_file_set_contents(empty, " \n", -1, NULL));
    g_assert_true(g_file_set_contents(words, "one\ntwo\n", -1, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = NULL;
        int code;

        g_test_message("%s", cases[i].label);
        set("", cases[i].plain);
        set("_FILE", cases[i].file);
        set("_COMMAND", cases[i].command);
        got = get(&code);
        g_assert_cmpstr(got, ==, cases[i].want);
        g_assert_cmpint(code, ==, cases[i].code);
    }
    tempdir_remove(dir);
}

static void a_private_file_is_nobody_elses(void)
{
    static const struct {
        mode_t mode;
        bool want, want_of_root;
    } cases[] = {
        { 0600, true, true },   { 0400, true, true },   { 0640, false, true },
        { 0440, false, true },  { 0660, false, false }, { 0644, false, false },
        { 0601, false, false }, { 0604, false, false }, { 0610, false, false },
    };
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "key", NULL);
    g_autoptr(Secret) none = NULL;

    tempdir_write(dir, "key", "key\n", 4);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool want = geteuid() == 0 ? cases[i].want_of_root : cases[i].want;
        g_autoptr(Secret) secret = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%o", cases[i].mode);
        g_assert_cmpint(chmod(file, cases[i].mode), ==, 0);
        g_assert_cmpint(secret_from_private_file("key", file, &secret, &error), ==, want);
        if (want)
            g_assert_cmpstr(secret_data(secret), ==, "key");
        else
            g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    }
    g_assert_false(secret_from_private_file("key", dir, &none, NULL));
    tempdir_remove(dir);
}

static void a_long_file_is_refused_not_cut(void)
{
    static const struct {
        const char *label;
        size_t len;
        bool want;
    } cases[] = {
        { "as long as may be", 64 * 1024, true },
        { "a byte longer", 64 * 1024 + 1, false },
        { "much longer", 1024 * 1024, false },
    };
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "secret", NULL);
    g_autofree char *text = g_strnfill(1024 * 1024, 'x');

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Secret) secret = NULL;

        g_test_message("%s", cases[i].label);
        tempdir_write(dir, "secret", text, cases[i].len);
        g_assert_cmpint(secret_from_file("password", file, &secret, &error), ==, cases[i].want);
        g_assert_true(cases[i].want == !error);
        if (cases[i].want)
            g_assert_cmpuint(secret_len(secret), ==, cases[i].len);
        else
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secrets/environment", a_secret_comes_from_one_place);
    g_test_add_func("/secrets/long", a_long_file_is_refused_not_cut);
    g_test_add_func("/secrets/private", a_private_file_is_nobody_elses);
    return g_test_run();
}
