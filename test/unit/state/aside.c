/* SPDX-License-Identifier: Apache-2.0 */
#include "state/aside.h"

#include "base/error.h"
#include "lib/tempdir.h"
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static void put(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_holds(const char *path, const char *suffix, const char *want)
{
    g_autofree char *file = g_strconcat(path, suffix, NULL), *text = NULL;

    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, want);
}

/* Whether the log lost its name while the catalogue still had its own. */
static bool log_went_first(int fd)
{
    char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t len = read(fd, buf, sizeof buf);

    for (char *at = buf; at < buf + len;) {
        const struct inotify_event *event = (const void *)at;

        at += sizeof *event + event->len;
        if (strcmp(event->name, "catalog.db") == 0)
            return false;
        if (strcmp(event->name, "catalog.db-wal") == 0)
            return true;
    }
    g_assert_not_reached();
}

static void catalogue_and_log_are_never_parted(void)
{
    char *dir = tempdir_new();
    g_autofree char *url = g_strconcat("sqlite:", dir, "/catalog.db", NULL), *aside = NULL;
    g_autoptr(GError) error = NULL;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    put(dir, "catalog.db", "what was checkpointed");
    put(dir, "catalog.db-wal", "what was not");
    g_assert_cmpint(inotify_add_watch(fd, dir, IN_DELETE | IN_MOVED_FROM), >=, 0);
    g_assert_true(catalog_set_aside(url, "damaged", &aside, &error));
    g_assert_no_error(error);
    assert_holds(aside, "", "what was checkpointed");
    assert_holds(aside, "-wal", "what was not");
    g_assert_false(log_went_first(fd));
    (void)close(fd);
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aside/catalogue and log are never parted",
                    catalogue_and_log_are_never_parted);
    return g_test_run();
}
