/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reference.h"

#include "base/error.h"
#include <glib/gstdio.h>

static void only_four_schemes_are_references(void)
{
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        { "env://NAME", true },
        { "env://NAME#password", true },
        { "file:///etc/x", true },
        { "cred://name", true },
        { "command://pass show backup", true },
        { "env://", false },
        { "env://9NAME", false },
        { "env://A B", false },
        { "file://relative", false },
        { "cred://../x", false },
        { "cred://.hidden", false },
        { "command://", false },
        { "command://'open", false },
        { "hunter2", false },
        { "", false },
        { "ENV://NAME", false },
        { "https://host/", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(reference_check(cases[i].text, &error), ==, cases[i].want);
        if (cases[i].want)
            continue;
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        if (*cases[i].text)
            g_assert_null(strstr(error->message, "hunter2"));
    }
}

static void assert_resolves(const char *reference, const char *want)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Secret) secret = NULL;

    g_test_message("%s", reference);
    g_assert_cmpint(reference_resolve("password", reference, &secret, &error), ==, want != NULL);
    if (want)
        g_assert_cmpstr(secret_data(secret), ==, want);
    else
        g_assert_nonnull(strstr(error->message, "password"));
}

static void references_lead_to_secrets(void)
{
    g_autofree char *directory = g_dir_make_tmp("bs-reference-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "token", NULL);
    g_autofree char *file = g_strconcat("file://", path, NULL);
    g_autofree char *absent = g_strconcat("file://", path, ".not", NULL);

    g_assert_true(g_file_set_contents(path, " s3cret\n", -1, NULL));
    g_setenv("CREDENTIALS_DIRECTORY", directory, TRUE);
    g_setenv("A_SECRET", " kept ", TRUE);
    g_setenv("A_URL", "postgresql://u:p%40ss@host/db?x=:y@", TRUE);
    g_setenv("NO_PASSWORD", "postgresql://u@host/db", TRUE);
    g_unsetenv("NOT_SET");
    assert_resolves("env://A_SECRET", " kept ");
    assert_resolves("env://NOT_SET", NULL);
    assert_resolves(file, "s3cret");
    assert_resolves(absent, NULL);
    assert_resolves("cred://token", "s3cret");
    assert_resolves("command://echo 'a b'", "a b");
    assert_resolves("command://false", NULL);
    assert_resolves("env://A_URL#password", "p@ss");
    assert_resolves("env://NO_PASSWORD#password", NULL);
    assert_resolves("hunter2", NULL);
    g_unsetenv("CREDENTIALS_DIRECTORY");
    assert_resolves("cred://token", NULL);
    (void)g_unlink(path);
    (void)g_rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reference/only_four_schemes_are_references",
                    only_four_schemes_are_references);
    g_test_add_func("/reference/references_lead_to_secrets", references_lead_to_secrets);
    return g_test_run();
}
