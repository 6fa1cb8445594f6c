/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqliteplace.h"

#include "base/error.h"
#include "lib/tempdir.h"
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

typedef struct {
    char *dir, *path, *wal, *fresh;
} Fixture;

static void put(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_holds(const char *path, const char *want)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, want);
}

static void set_up(Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
    fixture->dir = tempdir_new();
    fixture->path = g_build_filename(fixture->dir, "app.db", NULL);
    fixture->wal = g_strconcat(fixture->path, "-wal", NULL);
    fixture->fresh = g_build_filename(fixture->dir, "fresh", NULL);
    put(fixture->fresh, "restored");
}

static void tear_down(Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
    tempdir_remove(fixture->dir);
    g_free(fixture->path);
    g_free(fixture->wal);
    g_free(fixture->fresh);
}

static void look(const Fixture *fixture, SqlitePlace *place)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(sqlite_place_look(fixture->path, true, place, &error));
    g_assert_no_error(error);
}

/* An application may begin with an empty one while the restore fetches hers. */
static void what_appears_meanwhile_stays(Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(SqlitePlace) place = { 0 };
    g_autoptr(GError) error = NULL;
    g_autofree char *kept = NULL;

    look(fixture, &place);
    put(fixture->path, "of the application");
    g_assert_false(sqlite_place_take(&place, fixture->fresh, &kept, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY);
    assert_holds(fixture->path, "of the application");
}

static void the_old_one_is_kept_with_its_log(Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(SqlitePlace) place = { 0 };
    g_autofree char *kept = NULL, *kept_wal = NULL;

    put(fixture->path, "old");
    put(fixture->wal, "log of the old");
    look(fixture, &place);
    g_assert_true(sqlite_place_take(&place, fixture->fresh, &kept, NULL));
    kept_wal = g_strconcat(kept, "-wal", NULL);
    assert_holds(fixture->path, "restored");
    assert_holds(kept, "old");
    assert_holds(kept_wal, "log of the old");
    g_assert_false(g_file_test(fixture->wal, G_FILE_TEST_EXISTS));
}

/* ---- the moments in between, each of which may be the last ---- */

static bool has_old(GHashTable *names, const char *suffix)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (strstr(name, "-before-") && g_str_has_suffix(name, suffix) &&
            (*suffix || !g_str_has_suffix(name, "-wal")))
            return true;
    return false;
}

static void follow(int fd, GHashTable *names, bool *ret_ever_without)
{
    char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t len = read(fd, buf, sizeof buf);

    g_assert_cmpint(len, >, 0);
    *ret_ever_without = false;
    for (char *at = buf; at < buf + len;) {
        const struct inotify_event *event = (const void *)at;

        at += sizeof *event + event->len;
        if (event->mask & (IN_CREATE | IN_MOVED_TO))
            g_hash_table_add(names, g_strdup(event->name));
        else
            g_hash_table_remove(names, event->name);
        if (event->mask & IN_MOVED_FROM)
            continue; // its other half comes next
        if (has_old(names, "") && !has_old(names, "-wal"))
            *ret_ever_without = true;
    }
}

static void the_old_one_never_lacks_its_log(Fixture *fixture, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(SqlitePlace) place = { 0 };
    g_autofree char *kept = NULL;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    bool ever_without;

    put(fixture->path, "old");
    put(fixture->wal, "log of the old");
    look(fixture, &place);
    g_assert_cmpint(
        inotify_add_watch(fd, fixture->dir, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO),
        >=, 0);
    g_assert_true(sqlite_place_take(&place, fixture->fresh, &kept, NULL));
    follow(fd, names, &ever_without);
    g_assert_false(ever_without);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/sqliteplace/what appears meanwhile stays", Fixture, NULL, set_up,
               what_appears_meanwhile_stays, tear_down);
    g_test_add("/sqliteplace/the old one is kept with its log", Fixture, NULL, set_up,
               the_old_one_is_kept_with_its_log, tear_down);
    g_test_add("/sqliteplace/the old one never lacks its log", Fixture, NULL, set_up,
               the_old_one_never_lacks_its_log, tear_down);
    return g_test_run();
}
