/* SPDX-License-Identifier: Apache-2.0 */
#include "store/local.h"

#include "base/clock.h"
#include "base/error.h"
#include "conformance.h"
#include "lib/tempdir.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static Store *make(void **ret_place)
{
    g_autofree char *path = NULL;

    *ret_place = tempdir_new();
    path = g_build_filename(*ret_place, "to", "be made", NULL);
    return local_store_new(path, true);
}

static Store *make_unsynced(void **ret_place)
{
    g_autofree char *path = NULL;

    *ret_place = tempdir_new();
    path = g_build_filename(*ret_place, "to", "be made", NULL);
    return local_store_new_unsynced(path);
}

static void discard(Store *store, void *place)
{
    store_free(store);
    tempdir_remove(place);
}

/* ---- a store in dir ---- */

typedef struct {
    char *dir;
    Store *store;
} Place;

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->dir = tempdir_new();
    place->store = local_store_new(place->dir, false);
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    store_free(place->store);
    tempdir_remove(place->dir);
}

static char *inside(const Place *place, const char *name)
{
    return g_build_filename(place->dir, name, NULL);
}

static bool put(Place *place, const char *key, const char *text, GError **error)
{
    return store_put(place->store, key, text, strlen(text), false, error);
}

static void assert_put(Place *place, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    put(place, key, text, &error);
    g_assert_no_error(error);
}

static bool append(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_ptr_array_add(user, g_strdup(object->key));
    return true;
}

static gint compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys listed, sorted, with a space between. */
static char *listed(Place *place, const char *prefix)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    store_list(place->store, prefix, append, keys, &error);
    g_assert_no_error(error);
    g_ptr_array_sort(keys, compare_keys);
    g_ptr_array_add(keys, NULL);
    return g_strjoinv(" ", (char **)keys->pdata);
}

static void assert_listed(Place *place, const char *prefix, const char *want)
{
    g_autofree char *keys = listed(place, prefix);

    g_assert_cmpstr(keys, ==, want);
}

static mode_t mode_of(const Place *place, const char *name)
{
    g_autofree char *path = inside(place, name);
    struct stat st;

    g_assert_cmpint(lstat(path, &st), ==, 0);
    return st.st_mode & 07777;
}

/* ---- facts ---- */

static void makes_its_root_only_when_asked(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *path = inside(place, "not mounted");
    g_autoptr(Store) store = local_store_new(path, false);
    g_autoptr(GError) error = NULL;

    g_assert_false(store_put(store, "config", "x", 1, false, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void files_are_read_only_and_private(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    assert_put(place, "data/ab/pack", "x");
    assert_put(place, "config", "x");
    g_assert_cmpint(mode_of(place, "data"), ==, 0700);
    g_assert_cmpint(mode_of(place, "data/ab"), ==, 0700);
    g_assert_cmpint(mode_of(place, "data/ab/pack"), ==, 0400);
    g_assert_cmpint(mode_of(place, "config"), ==, 0400);
}

static void the_group_shares_what_config_shares(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *config = inside(place, "config");
    mode_t umask_before = umask(077);

    assert_put(place, "config", "x");
    g_assert_cmpint(chmod(config, 0440), ==, 0);
    g_assert_cmpint(chmod(place->dir, 02770), ==, 0);
    assert_put(place, "data/ab/pack", "x");
    (void)umask(umask_before);
    g_assert_cmpint(mode_of(place, "data"), ==, 02770);
    g_assert_cmpint(mode_of(place, "data/ab"), ==, 02770);
    g_assert_cmpint(mode_of(place, "data/ab/pack"), ==, 0440);
}

static void leftovers_are_not_listed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    assert_put(place, "index/abc", "x");
    tempdir_write(place->dir, "index/abc-tmp-12345", "half", 4);
    tempdir_write(place->dir, "index/abc-tmp-0f3A", "half", 4);
    tempdir_write(place->dir, "index/with space", "x", 1);
    tempdir_write(place->dir, "index/.hidden", "x", 1);
    assert_listed(place, "index/", "index/.hidden index/abc");
}

static void empty_objects_are_listed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    tempdir_write(place->dir, "locks/a", "", 0);
    tempdir_write(place->dir, "locks/b", "x", 1);
    assert_listed(place, "locks/", "locks/a locks/b");
}

static void links_below_the_root_are_not_followed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *outside = tempdir_new();
    g_autofree char *secret = g_build_filename(outside, "secret", NULL);
    g_autofree char *file_link = inside(place, "keys/link");
    g_autofree char *dir_link = inside(place, "data");
    static const char *const keys[] = { "keys/link", "data/secret" };

    tempdir_write(outside, "secret", "s", 1);
    assert_put(place, "keys/real", "x");
    g_assert_cmpint(symlink(secret, file_link), ==, 0);
    g_assert_cmpint(symlink(outside, dir_link), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GBytes) bytes = NULL;
        uint64_t size;
        char buf[1];

        g_test_message("%s", keys[i]);
        g_assert_false(store_get(place->store, keys[i], 0, buf, 1, NULL));
        g_assert_false(store_get_whole(place->store, keys[i], 10, &bytes, NULL));
        g_assert_false(store_stat(place->store, keys[i], &size, NULL));
    }
    assert_listed(place, "", "keys/real");
    g_assert_false(put(place, "data/new", "x", NULL));
    g_assert_false(store_remove(place->store, "data/secret", NULL));
    // the link goes, not what it points to
    assert_put(place, "keys/link", "replaced");
    g_assert_cmpuint(tempdir_n_files(outside), ==, 1);
    tempdir_remove(g_steal_pointer(&outside));
}

static void a_linked_directory_is_an_error_not_an_empty_one(Place *place,
                                                            G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *link = inside(place, "data");
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(symlink("/usr", link), ==, 0);
    g_assert_false(store_list(place->store, "data/", append, keys, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_assert_cmpuint(keys->len, ==, 0);
}

static void a_pipe_under_an_objects_name_does_not_stop_us(Place *place,
                                                          G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *path = inside(place, "pipe");
    char buf[1];

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_false(store_get(place->store, "pipe", 0, buf, 1, NULL));
    assert_listed(place, "", "");
}

static void a_failing_write_leaves_nothing(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *large = g_malloc0(1 << 20);
    g_autoptr(GError) error = NULL;
    struct rlimit before, small;
    bool ok;

    assert_put(place, "data/aa/old", "old");
    (void)signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
    small = (struct rlimit){ .rlim_cur = 64 * 1024, .rlim_max = before.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    ok = store_put(place->store, "data/aa/new", large, 1 << 20, false, &error) ||
         store_put(place->store, "data/aa/old", large, 1 << 20, false, NULL);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
    g_assert_false(ok);
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
    g_assert_cmpuint(tempdir_n_files(place->dir), ==, 1);
    assert_listed(place, "", "data/aa/old");
}

static void a_directory_that_was_removed_is_made_again(Place *place,
                                                       G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *dir = inside(place, "data/ab");

    assert_put(place, "data/ab/one", "x");
    g_assert_true(store_remove(place->store, "data/ab/one", NULL));
    g_assert_cmpint(rmdir(dir), ==, 0);
    assert_put(place, "data/ab/two", "x");
    assert_listed(place, "data/", "data/ab/two");
}

static bool note_unfinished(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_string_append_printf(user, "%s:%u ", object->key, (unsigned)object->size);
    return true;
}

/* A process that lives long may hold a directory whose place another has taken. */
static void nothing_is_put_into_a_directory_that_was_moved(Place *place,
                                                           G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *away = g_strconcat(place->dir, ".away", NULL);
    g_autoptr(GError) error = NULL;

    assert_put(place, "a/one", "1");
    g_assert_cmpint(rename(place->dir, away), ==, 0);
    g_assert_false(store_put(place->store, "a/two", "2", 1, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_cmpint(mkdir(place->dir, 0700), ==, 0);
    g_clear_error(&error);
    g_assert_false(store_put(place->store, "a/two", "2", 1, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_cmpint(rmdir(place->dir), ==, 0);
    g_assert_cmpint(rename(away, place->dir), ==, 0);
    assert_put(place, "a/two", "2");
    assert_listed(place, "", "a/one a/two");
}

static void leftovers_are_told_by_what_they_would_have_become(Place *place,
                                                              G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GString) told = g_string_new("");
    g_autoptr(GError) error = NULL;

    tempdir_write(place->dir, "data/ab/a-tmp-b-tmp-0f", "four", 4);
    assert_put(place, "data/ab/whole", "x");
    store_list_unfinished(place->store, "data/", note_unfinished, told, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(told->str, ==, "data/ab/a-tmp-b:4 ");
}

static void cleaning_takes_old_leftovers_only(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *name;
        unsigned hours;
        bool stays;
    } files[] = {
        { "data/ab/1-tmp-1", 25, false },    { "data/ab/2-tmp-2", 23, true },
        { "data/ab/3", 100, true },          { "data/4-tmp-0f", 48, false },
        { "data/5-tmp-5", 24, false },       { "elsewhere/6-tmp-6", 48, true },
        { "data/dir-tmp-7/file", 48, true }, { "8-tmp-8", 48, true },
        { "keys/9-tmp-9", 0, false },
    };
    static const StoreLeftovers places[] = { { "data/", 24 * 3600 }, { "keys/", 0 } };
    unsigned n;

    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = inside(place, files[i].name);
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                     { .tv_sec = clock_now().sec - files[i].hours * 3600 } };

        tempdir_write(place->dir, files[i].name, "x", 1);
        g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
    }
    g_assert_true(store_remove_unfinished(place->store, places, G_N_ELEMENTS(places), &n, NULL));
    g_assert_cmpuint(n, ==, 4);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = inside(place, files[i].name);

        g_test_message("%s", files[i].name);
        g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, files[i].stays);
    }
}

#define ADD(fact)                                                                                  \
    g_test_add("/store/local/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    static const StoreMaker makers[] = {
        { .name = "local", .open = make, .close = discard, .n_listed = 3000 },
        { .name = "local-unsynced", .open = make_unsynced, .close = discard, .n_listed = 300 },
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(makers); i++)
        store_conformance_add(&makers[i]);
    ADD(makes_its_root_only_when_asked);
    ADD(files_are_read_only_and_private);
    ADD(the_group_shares_what_config_shares);
    ADD(leftovers_are_not_listed);
    ADD(empty_objects_are_listed);
    ADD(links_below_the_root_are_not_followed);
    ADD(a_linked_directory_is_an_error_not_an_empty_one);
    ADD(a_pipe_under_an_objects_name_does_not_stop_us);
    ADD(a_failing_write_leaves_nothing);
    ADD(a_directory_that_was_removed_is_made_again);
    ADD(nothing_is_put_into_a_directory_that_was_moved);
    ADD(leftovers_are_told_by_what_they_would_have_become);
    ADD(cleaning_takes_old_leftovers_only);
    return g_test_run();
}
