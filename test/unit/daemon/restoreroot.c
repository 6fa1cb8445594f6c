/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restoreroot.h"
#include "../lib/tempdir.h"
#include "base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
}

static void only_what_lies_below_a_root_is_allowed(void)
{
    char *top = tempdir_new();
    g_autofree char *root = g_build_filename(top, "root", NULL);
    g_autofree char *deeper = g_build_filename(root, "deeper/", NULL);
    g_autofree char *full = g_build_filename(root, "full", NULL);
    g_autofree char *link = g_build_filename(root, "link", NULL);
    char *const roots[] = { root, deeper, NULL };
    const struct {
        const char *label, *path; /* behind top */
        int code;                 /* -1: it is allowed */
        bool exists;
        const char *root;
    } cases[] = {
        { "a new directory", "/root/new/one", -1, false, root },
        { "an empty one", "/root/deeper", -1, false, root },
        { "a full one", "/root/full", -1, true, root },
        { "below two roots", "/root/deeper/x", -1, false, deeper },
        { "the root", "/root", BS_ERROR_DENIED, false, NULL },
        { "the root with a slash", "/root/", BS_ERROR_USAGE, false, NULL },
        { "beside it", "/rooted/x", BS_ERROR_DENIED, false, NULL },
        { "above it", "/x", BS_ERROR_DENIED, false, NULL },
        { "a way back", "/root/../x", BS_ERROR_USAGE, false, NULL },
        { "a dot", "/root/./x", BS_ERROR_USAGE, false, NULL },
        { "an empty name", "/root//x", BS_ERROR_USAGE, false, NULL },
        { "a control character", "/root/a\033[2J", BS_ERROR_USAGE, false, NULL },
        { "a link", "/root/link", BS_ERROR_DENIED, false, NULL },
        { "behind a link", "/root/link/x", BS_ERROR_DENIED, false, NULL },
        { "a file", "/root/full/file", BS_ERROR_DENIED, false, NULL },
        { "below a file", "/root/full/file/x", BS_ERROR_DENIED, false, NULL },
    };

    g_assert_cmpint(g_mkdir_with_parents(deeper, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(full, 0700), ==, 0);
    write_file(full, "file");
    g_assert_cmpint(symlink("/", link), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat(top, cases[i].path, NULL);
        g_autoptr(GError) error = NULL;
        const char *found = NULL;
        bool exists = false;

        g_test_message("%s", cases[i].label);
        if (cases[i].code < 0) {
            g_assert_true(restore_root_check(roots, path, &found, &exists, &error));
            g_assert_cmpstr(found, ==, cases[i].root);
            g_assert_cmpint(exists, ==, cases[i].exists);
        } else {
            g_assert_false(restore_root_check(roots, path, &found, &exists, &error));
            g_assert_error(error, BS_ERROR, cases[i].code);
        }
    }
    tempdir_remove(top);
}

static void files_are_looked_at_themselves(void)
{
    char *top = tempdir_new();
    char *roots[] = { top, NULL };
    g_autofree char *dir = g_build_filename(top, "dir", NULL);
    g_autofree char *link = g_build_filename(top, "link", NULL);
    static const struct {
        const char *label, *path;
        int code; /* -1: allowed */
        bool exists;
    } cases[] = {
        { "what is not there yet", "/new.db", -1, false },
        { "in a directory that is not there yet", "/a/b/new.db", -1, false },
        { "a file", "/file", -1, true },
        { "a directory", "/dir", BS_ERROR_DENIED, false },
        { "a link", "/link", BS_ERROR_DENIED, false },
        { "behind a link", "/link/x", BS_ERROR_DENIED, false },
        { "below a file", "/file/x", BS_ERROR_DENIED, false },
        { "a way back", "/../x", BS_ERROR_USAGE, false },
        { "a slash behind", "/new/", BS_ERROR_USAGE, false },
    };

    g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
    write_file(top, "file");
    g_assert_cmpint(symlink("/", link), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat(top, cases[i].path, NULL);
        g_autoptr(GError) error = NULL;
        const char *found = NULL;
        bool exists = false;

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(restore_root_check_file(roots, path, &found, &exists, &error), ==,
                        cases[i].code < 0);
        if (cases[i].code >= 0)
            g_assert_error(error, BS_ERROR, cases[i].code);
        else
            g_assert_cmpint(exists, ==, cases[i].exists);
    }
    tempdir_remove(top);
}

static void without_roots_nothing_is_allowed(void)
{
    g_autoptr(GError) error = NULL;
    const char *root;
    bool exists;

    g_assert_false(restore_root_check(NULL, "/srv/x", &root, &exists, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_assert_nonnull(strstr(error->message, "restore_roots"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restoreroot/below", only_what_lies_below_a_root_is_allowed);
    g_test_add_func("/restoreroot/none", without_roots_nothing_is_allowed);
    g_test_add_func("/restoreroot/files", files_are_looked_at_themselves);
    return g_test_run();
}
