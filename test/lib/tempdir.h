/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, and files in it. */
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static inline char *tempdir_new(void)
{
    g_autoptr(GError) error = NULL;
    char *dir = g_dir_make_tmp("backstay-test-XXXXXX", &error);

    g_assert_no_error(error);
    return dir;
}

static inline int tempdir_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *place)
{
    (void)st, (void)type, (void)place;
    return remove(path);
}

/* With all that is in it. Frees dir. */
static inline void tempdir_remove(char *dir)
{
    g_assert_cmpint(nftw(dir, tempdir_remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
    g_free(dir);
}

/* The file dir/name, its directories made. */
static inline void tempdir_write(const char *dir, const char *name, const void *data, size_t len)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    // without CONSISTENT GLib 2.74 writes over what is there and leaves the rest of it
    g_assert_true(g_file_set_contents_full(path, data, (gssize)len, G_FILE_SET_CONTENTS_CONSISTENT,
                                           0600, NULL));
}

/* Number of files below dir, of any name. */
static inline unsigned tempdir_n_files(const char *dir)
{
    g_autoptr(GDir) opened = g_dir_open(dir, 0, NULL);
    const char *name;
    unsigned n = 0;

    while (opened && (name = g_dir_read_name(opened))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        n += g_file_test(path, G_FILE_TEST_IS_DIR) ? tempdir_n_files(path) : 1;
    }
    return n;
}
