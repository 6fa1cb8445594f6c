/* SPDX-License-Identifier: Apache-2.0 */
#include "net/awsprofile.h"

#include "base/error.h"
#include "lib/tempdir.h"

static const char credentials[] = "# made by hand\r\n"
                                  "\n"
                                  "[default]\n"
                                  "aws_access_key_id = AKIDEFAULT\n"
                                  "aws_secret_access_key=de/fault+=\n"
                                  "; a comment\n"
                                  "[ indented ]\n"
                                  "  AWS_ACCESS_KEY_ID\t=\tAKINDENTED\n"
                                  "  aws_secret_access_key = in=dented # a comment\n"
                                  "  aws_session_token = tok#en\n"
                                  "[nested]\n"
                                  "s3 =\n"
                                  "  aws_access_key_id = NOT_THIS\n"
                                  "  region = nor-this\n"
                                  "aws_access_key_id = AKNESTED\n"
                                  "aws_secret_access_key = nested\n"
                                  "region = in-credentials\n"
                                  "[profile odd]\n"
                                  "aws_access_key_id = AKODD\n"
                                  "aws_secret_access_key = odd\n"
                                  "[half]\n"
                                  "aws_access_key_id = AKHALF\n"
                                  "[empty]\n"
                                  "aws_access_key_id =\n";
static const char config[] = "[default]\n"
                             "region = eu-default\n"
                             "[profile indented]\n"
                             "region=eu-indented\n"
                             "[profile   nested]\n"
                             "region = not-used\n"
                             "[profile only-config]\n"
                             "aws_access_key_id = AKCONFIG\n"
                             "aws_secret_access_key = config\n"
                             "[profile sso]\n"
                             "sso_session = x\n"
                             "region = eu-sso\n"
                             "[half]\n"
                             "region = wrong-title\n";

static char *write_file(const char *dir, const char *name, const char *text)
{
    char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void profiles_are_found_in_both_files(void)
{
    static const struct {
        const char *name, *access, *secret, *token, *region;
    } cases[] = {
        { NULL, "AKIDEFAULT", "de/fault+=", NULL, "eu-default" },
        { "default", "AKIDEFAULT", "de/fault+=", NULL, "eu-default" },
        { "indented", "AKINDENTED", "in=dented", "tok#en", "eu-indented" },
        { "nested", "AKNESTED", "nested", NULL, "in-credentials" },
        { "only-config", "AKCONFIG", "config", NULL, NULL },
        { "profile odd", "AKODD", "odd", NULL, NULL },
        { "sso", NULL, NULL, NULL, "eu-sso" },
        { "empty", NULL, NULL, NULL, NULL },
    };
    char *dir = tempdir_new();
    g_autofree char *one = write_file(dir, "credentials", credentials);
    g_autofree char *two = write_file(dir, "config", config);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(AwsProfile) profile = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].name ? cases[i].name : "(none)");
        g_assert_true(aws_profile_load(one, two, cases[i].name, &profile, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(profile.keys.access_key, ==, cases[i].access);
        g_assert_cmpstr(profile.keys.secret_key, ==, cases[i].secret);
        g_assert_cmpstr(profile.keys.session_token, ==, cases[i].token);
        g_assert_cmpstr(profile.region, ==, cases[i].region);
        g_assert_cmpint(profile.keys.locked != NULL, ==, cases[i].access != NULL);
    }
    tempdir_remove(dir);
}

static void what_is_wrong_is_told(void)
{
    static const struct {
        const char *label, *name, *text;
        int code;
    } cases[] = {
        { "a name nobody knows", "nobody", credentials, BS_ERROR_NOT_FOUND },
        { "half a set", "half", credentials, BS_ERROR_USAGE },
        { "a line before the first title", NULL, "region = x\n", BS_ERROR_USAGE },
        { "a line without an equals sign", NULL, "[default]\nhello\n", BS_ERROR_USAGE },
        { "another kind of file", NULL, "{\"default\": {}}\n", BS_ERROR_USAGE },
        { "nothing at all", NULL, "", BS_ERROR_NOT_FOUND },
    };
    char *dir = tempdir_new();
    g_autofree char *empty = write_file(dir, "config", "");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = write_file(dir, "credentials", cases[i].text);
        g_auto(AwsProfile) profile = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_false(aws_profile_load(path, empty, cases[i].name, &profile, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_null(profile.keys.access_key);
        g_assert_null(strstr(error->message, "AKHALF"));
    }
    tempdir_remove(dir);
}

static void large_files_and_zeros_are_refused(void)
{
    char *dir = tempdir_new();
    g_autofree char *empty = write_file(dir, "config", "");
    g_autofree char *path = g_build_filename(dir, "credentials", NULL);
    g_autofree char *large = g_strnfill(300000, '\n');
    g_auto(AwsProfile) profile = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, large, -1, NULL));
    g_assert_false(aws_profile_load(path, empty, NULL, &profile, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(path, "[default]\n\0\nx = y\n", 18, NULL));
    g_assert_false(aws_profile_load(path, empty, NULL, &profile, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    tempdir_remove(dir);
}

static void files_of_the_home_directory_need_not_exist_but_named_ones_must(void)
{
    char *dir = tempdir_new();
    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    g_autofree char *folder = g_build_filename(dir, ".aws", NULL);
    g_autofree char *path = NULL;
    g_auto(AwsProfile) profile = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(g_setenv("HOME", dir, TRUE));
    g_assert_false(aws_profile_load(NULL, NULL, NULL, &profile, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_false(aws_profile_load(missing, NULL, NULL, &profile, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, missing));
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    path = write_file(folder, "credentials", credentials);
    g_assert_true(aws_profile_load(NULL, NULL, NULL, &profile, NULL));
    g_assert_cmpstr(profile.keys.access_key, ==, "AKIDEFAULT");
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    // first: GLib asks for the home directory once
    g_test_add_func("/awsprofile/home",
                    files_of_the_home_directory_need_not_exist_but_named_ones_must);
    g_test_add_func("/awsprofile/both", profiles_are_found_in_both_files);
    g_test_add_func("/awsprofile/wrong", what_is_wrong_is_told);
    g_test_add_func("/awsprofile/large", large_files_and_zeros_are_refused);
    return g_test_run();
}
