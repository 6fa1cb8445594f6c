/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/uploads.h"
#include "../../lib/tempdir.h"
#include "base/error.h"
#include "daemon/importorder.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN   "0123456789abcdef0123456789abcdef"
#define OTHER "11111111111111111111111111111111"

static unsigned count(const char *dir)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(open);
    while (g_dir_read_name(open))
        n++;
    return n;
}

static Upload *whole(const char *dir)
{
    g_autoptr(GError) error = NULL;
    Upload *upload = upload_begin(dir, 5, &error);

    g_assert_no_error(error);
    g_assert_true(upload_append(upload, "he", 2, &error));
    g_assert_true(upload_append(upload, "llo", 3, &error));
    g_assert_true(upload_finish(upload, &error));
    g_assert_no_error(error);
    return upload;
}

static void a_whole_file_becomes_the_runs(void)
{
    char *dir = tempdir_new();
    Upload *upload = whole(dir);
    g_autofree char *path = NULL, *content = NULL, *want = NULL;
    struct stat st;

    g_assert_true(upload_take(dir, upload_part(upload), RUN, "a dump.gz", &path, NULL));
    upload_free(upload);
    want = g_build_filename(dir, RUN, "a dump.gz", NULL);
    g_assert_cmpstr(path, ==, want);
    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "hello");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
    upload_drop(dir, RUN);
    g_assert_cmpuint(count(dir), ==, 0);
    tempdir_remove(dir);
}

static void what_was_not_taken_goes(void)
{
    char *dir = tempdir_new();
    g_autoptr(GError) less = NULL, more = NULL, room = NULL;
    Upload *upload = upload_begin(dir, 5, NULL);

    g_assert_cmpuint(count(dir), ==, 1);
    g_assert_true(upload_append(upload, "hell", 4, NULL));
    g_assert_false(upload_finish(upload, &less));
    g_assert_error(less, BS_ERROR, BS_ERROR_USAGE);
    g_assert_false(upload_append(upload, "oo", 2, &more));
    g_assert_error(more, BS_ERROR, BS_ERROR_USAGE);
    upload_free(upload);
    upload_free(whole(dir));
    g_assert_null(upload_begin(dir, UINT64_C(1) << 60, &room));
    g_assert_error(room, BS_ERROR, BS_ERROR_NO_SPACE);
    g_assert_cmpuint(count(dir), ==, 0);
    tempdir_remove(dir);
}

static void only_parts_are_taken_and_only_by_plain_names(void)
{
    static const struct {
        const char *part, *run, *name;
        int code;
    } cases[] = {
        { OTHER, RUN, "x", BS_ERROR_NOT_FOUND },   { "../" OTHER, RUN, "x", BS_ERROR_USAGE },
        { "", RUN, "x", BS_ERROR_USAGE },          { NULL, "..", "x", BS_ERROR_USAGE },
        { NULL, RUN, "../x", BS_ERROR_USAGE },     { NULL, RUN, "/x", BS_ERROR_USAGE },
        { NULL, RUN, "", BS_ERROR_USAGE },         { NULL, RUN, ".", BS_ERROR_USAGE },
        { NULL, RUN, "..", BS_ERROR_USAGE },       { NULL, RUN, ".x", BS_ERROR_USAGE },
        { NULL, RUN, "-x", BS_ERROR_USAGE },       { NULL, RUN, "a\\b", BS_ERROR_USAGE },
        { NULL, RUN, "a\nb", BS_ERROR_USAGE },     { NULL, RUN, "a\x7f", BS_ERROR_USAGE },
        { NULL, RUN, "not \xff", BS_ERROR_USAGE },
    };
    char *dir = tempdir_new();
    g_autofree char *link = g_build_filename(dir, OTHER ".part", NULL), *long_name = NULL;
    Upload *upload = whole(dir);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = NULL;
        const char *part = cases[i].part ? cases[i].part : upload_part(upload);

        g_test_message("%s %s %s", part, cases[i].run, cases[i].name);
        g_assert_false(upload_take(dir, part, cases[i].run, cases[i].name, &path, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_cmpuint(count(dir), ==, 1);
    }
    long_name = g_strnfill(201, 'x');
    g_assert_false(upload_name_check(long_name, NULL));
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    g_assert_false(upload_take(dir, OTHER, RUN, "x", &long_name, NULL));
    g_assert_cmpint(unlink(link), ==, 0);
    upload_free(upload);
    tempdir_remove(dir);
}

static void each_side_cleans_its_own(void)
{
    char *dir = tempdir_new();
    g_autoptr(GHashTable) keep = g_hash_table_new(g_str_hash, g_str_equal);
    Upload *parts[3] = { whole(dir), whole(dir), whole(dir) };
    g_autofree char *one = NULL, *two = NULL;

    g_assert_true(upload_take(dir, upload_part(parts[0]), RUN, "x", &one, NULL));
    g_assert_true(upload_take(dir, upload_part(parts[1]), OTHER, "x", &two, NULL));
    g_hash_table_add(keep, (gpointer)RUN);
    uploads_clean(dir, keep);
    g_assert_true(g_file_test(one, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(two, G_FILE_TEST_EXISTS));
    g_assert_cmpuint(count(dir), ==, 2); // one part is left
    uploads_clean_parts(dir);
    g_assert_cmpuint(count(dir), ==, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        upload_free(parts[i]);
    upload_drop(dir, RUN);
    tempdir_remove(dir);
}

/* ---- what is done with them ---- */

static Configuration *configuration_new(void)
{
    static const char text[] = "repositories: {main: {location: /repo, password: \"env://X\"}}\n";
    Configuration *configuration = NULL;

    g_assert_true(configuration_parse(NULL, text, strlen(text), &configuration, NULL));
    return configuration;
}

static void an_order_becomes_one_command(void)
{
    g_autoptr(Configuration) configuration = configuration_new();
    json_t *order = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", "x.dump", "repository", "main",
                              "source", "--delete", "format", "dump", "database", "a b"),
           *steps = NULL, *about = NULL, *want;

    g_assert_true(import_order_check(configuration, order, NULL));
    import_order(configuration, order, "/uploads/x.dump", &steps, &about);
    want = json_pack("[{s:s, s:[s, s, s, s, s, s, s]}]", "stage", "import", "argv", "--repo=main",
                     "import", "--source=--delete", "--as=dump", "--database=a b", "--",
                     "/uploads/x.dump");
    g_assert_true(json_equal(steps, want));
    g_assert_cmpstr(shape_text(about, "file"), ==, "x.dump");
    json_decref(want);
    json_decref(about);
    json_decref(steps);
    json_decref(order);
}

static void other_orders_are_refused(void)
{
    static const struct {
        const char *order;
        int code;
    } cases[] = {
        { "{\"name\": \"x\"}", BS_ERROR_USAGE },
        { "{\"name\": \"../x\", \"repository\": \"main\"}", BS_ERROR_USAGE },
        { "{\"name\": \"x\", \"repository\": \"/repo\"}", BS_ERROR_CONFIG },
        { "{\"name\": \"x\", \"repository\": \"main\", \"format\": \"exe\"}", BS_ERROR_USAGE },
        { "{\"name\": \"x\", \"repository\": \"main\", \"source\": \"a\\nb\"}", BS_ERROR_USAGE },
        { "{\"name\": \"x\", \"repository\": \"main\", \"argv\": \"x\"}", BS_ERROR_USAGE },
    };
    g_autoptr(Configuration) configuration = configuration_new();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        json_t *order = json_loads(cases[i].order, 0, NULL);

        g_test_message("%s", cases[i].order);
        g_assert_false(import_order_check(configuration, order, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        json_decref(order);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/uploads/a-whole-file-becomes-the-runs", a_whole_file_becomes_the_runs);
    g_test_add_func("/daemon/uploads/what-was-not-taken-goes", what_was_not_taken_goes);
    g_test_add_func("/daemon/uploads/only-parts-are-taken-and-only-by-plain-names",
                    only_parts_are_taken_and_only_by_plain_names);
    g_test_add_func("/daemon/uploads/each-side-cleans-its-own", each_side_cleans_its_own);
    g_test_add_func("/daemon/uploads/an-order-becomes-one-command", an_order_becomes_one_command);
    g_test_add_func("/daemon/uploads/other-orders-are-refused", other_orders_are_refused);
    return g_test_run();
}
