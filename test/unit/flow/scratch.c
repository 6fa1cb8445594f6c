/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/scratch.h"

#include "base/error.h"
#include "flow/dirremove.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void remove_place(const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY);

    g_assert_true(remove_tree_at(fd, name, NULL));
    close(fd);
}

static char *make_place(void)
{
    char *place = g_dir_make_tmp("backstay-test-XXXXXX", NULL);

    g_assert_nonnull(place);
    return place;
}

static char *left_over(const char *place, const char *name, mode_t mode)
{
    char *path = g_build_filename(place, name, NULL);
    g_autofree char *file = g_build_filename(path, "3012.dat", NULL);

    g_assert_cmpint(mkdir(path, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "rows", -1, NULL));
    g_assert_cmpint(chmod(path, mode), ==, 0);
    return path;
}

static bool is_there(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void goes_with_all_that_is_in_it(void)
{
    g_autofree char *place = make_place();
    g_autoptr(GError) error = NULL;
    Scratch *scratch = scratch_new(place, &error);
    g_autofree char *path = NULL, *deep = NULL;
    struct stat st;

    g_assert_no_error(error);
    path = g_strdup(scratch_path(scratch));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0700);
    deep = left_over(path, "dump", 0700);
    scratch_free(scratch);
    g_assert_false(is_there(path));
    g_assert_cmpint(g_rmdir(place), ==, 0);
}

static void removes_what_nobody_holds_and_nothing_else(void)
{
    g_autofree char *place = make_place();
    g_autoptr(GError) error = NULL;
    Scratch *living = scratch_new(place, &error);
    g_autofree char *dead = left_over(place, "backstay-scratch-abcdef", 0700);
    g_autofree char *open_to_all = left_over(place, "backstay-scratch-public", 0755);
    g_autofree char *longer = left_over(place, "backstay-scratch-abcdefg", 0700);
    g_autofree char *link = g_build_filename(place, "backstay-scratch-linked", NULL);
    Scratch *scratch;

    g_assert_cmpint(symlink(longer, link), ==, 0);
    scratch = scratch_new(place, &error);
    g_assert_no_error(error);
    g_assert_false(is_there(dead));
    g_assert_true(is_there(scratch_path(living)));
    g_assert_true(is_there(open_to_all));
    g_assert_true(is_there(longer));
    g_assert_true(is_there(link));
    scratch_free(scratch);
    scratch_free(living);
    remove_place(place);
}

static void says_when_there_is_no_room_or_no_place(void)
{
    g_autofree char *place = make_place();
    g_autofree char *absent = g_build_filename(place, "absent", NULL);
    g_autoptr(GError) error = NULL;
    Scratch *scratch = scratch_new(place, &error);

    g_assert_no_error(error);
    g_assert_true(scratch_check_room(scratch, 1, &error));
    g_assert_false(scratch_check_room(scratch, (uint64_t)1 << 62, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
    g_clear_error(&error);
    g_assert_null(scratch_new(absent, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_true(scratch_remove(scratch, NULL));
    scratch_free(scratch);
    g_assert_cmpint(g_rmdir(place), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scratch/goes with all that is in it", goes_with_all_that_is_in_it);
    g_test_add_func("/scratch/removes what nobody holds, and nothing else",
                    removes_what_nobody_holds_and_nothing_else);
    g_test_add_func("/scratch/says when there is no room or no place",
                    says_when_there_is_no_room_or_no_place);
    return g_test_run();
}
