/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/places.h"
#include "../../lib/tempdir.h"
#include "base/error.h"

#define ID "0123456789abcdef0123456789abcdef"

static unsigned mode_of(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_mode & 07777;
}

static void directories_of_systemd_come_first(void)
{
    char *dir = tempdir_new();
    g_autofree char *state = g_build_filename(dir, "state", NULL),
                    *runtime = g_build_filename(dir, "runtime", NULL),
                    *several = g_strconcat(state, ":/elsewhere", NULL);
    g_auto(Places) places = { 0 };

    g_setenv("STATE_DIRECTORY", several, TRUE);
    g_setenv("RUNTIME_DIRECTORY", runtime, TRUE);
    g_assert_true(places_open(&places, NULL));
    g_assert_cmpstr(places.state, ==, state);
    g_assert_cmpstr(places.runtime, ==, runtime);
    g_assert_true(g_str_has_prefix(places.control, runtime));
    g_assert_cmpuint(mode_of(places.runs), ==, 0700);
    g_assert_cmpuint(mode_of(places.queue), ==, 0700);
    g_assert_cmpuint(mode_of(runtime), ==, 0700);
    tempdir_remove(dir);
}

static void a_run_has_a_directory_of_its_own(void)
{
    char *dir = tempdir_new();
    g_auto(Places) places = { 0 };
    g_autofree char *run = NULL, *want = NULL;

    g_setenv("STATE_DIRECTORY", dir, TRUE);
    g_setenv("RUNTIME_DIRECTORY", dir, TRUE);
    g_assert_true(places_open(&places, NULL));
    run = places_run(&places, ID);
    want = g_build_filename(places.runs, ID, NULL);
    g_assert_cmpstr(run, ==, want);
    tempdir_remove(dir);
}

static void what_cannot_be_made_is_named(void)
{
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "file", NULL);
    g_autoptr(GError) error = NULL;
    g_auto(Places) places = { 0 };

    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    g_setenv("STATE_DIRECTORY", file, TRUE);
    g_assert_false(places_open(&places, &error));
    g_assert_nonnull(strstr(error->message, file));
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/places/systemd", directories_of_systemd_come_first);
    g_test_add_func("/places/run", a_run_has_a_directory_of_its_own);
    g_test_add_func("/places/refused", what_cannot_be_made_is_named);
    return g_test_run();
}
