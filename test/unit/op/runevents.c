/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runevents.h"

#include "base/error.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/tempdir.h"

static void remember(const json_t *event, void *user)
{
    json_array_append_new(user, json_deep_copy(event));
}

static GStrv lines_of(const char *path)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_suffix(text, "\n"));
    text[strlen(text) - 1] = '\0';
    return g_strsplit(text, "\n", -1);
}

static void events_are_lines_in_the_file_and_are_told(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, "events", NULL);
    json_t *told = json_array();
    g_autoptr(RunEvents) events = run_events_open(path, 0, remember, told, NULL);
    g_auto(GStrv) lines = NULL;
    struct stat st;

    g_assert_nonnull(events);
    run_events_add(events, run_event_log("info", "two\nlines, and \xff"));
    g_assert_true(run_events_end(events, json_pack("{s:s}", "message_type", "run_end"), NULL));
    lines = lines_of(path);
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    for (guint i = 0; i < 2; i++) {
        json_t *line = json_loads(lines[i], 0, NULL);
        const char *time = json_string_value(json_object_get(line, "time"));

        g_assert_true(json_equal(line, json_array_get(told, i)));
        g_assert_true(g_str_has_prefix(lines[i], "{\"message_type\":"));
        g_assert_cmpuint(strlen(time), ==, strlen("2006-01-02T03:04:05.678Z"));
        json_decref(line);
    }
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(told, 0), "message")), ==,
                    "two\nlines, and \xef\xbf\xbd");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
    json_decref(told);
    tempdir_remove(dir);
}

/* Whoever gets the lock knows that the run is over. */
static void the_file_is_locked_while_the_run_lives(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, "events", NULL);
    RunEvents *events = run_events_open(path, 0, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), !=, 0);
    g_assert_null(run_events_open(path, 0, NULL, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    g_clear_error(&error);
    run_events_add(events, run_event_log("info", "x"));
    run_events_free(events);
    g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), ==, 0);
    g_assert_cmpint(close(fd), ==, 0);
    g_assert_null(run_events_open(path, 0, NULL, NULL, &error)); // it is another run's
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    tempdir_remove(dir);
}

static void what_cannot_be_written_is_told_in_the_end(void)
{
    g_autoptr(RunEvents) events = run_events_open("/dev/full", 0, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(events);
    run_events_add(events, run_event_log("info", "x"));
    g_assert_false(run_events_end(events, json_pack("{s:s}", "message_type", "run_end"), &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
}

static void without_a_file_events_are_only_told(void)
{
    json_t *told = json_array();
    g_autoptr(RunEvents) events = run_events_open(NULL, 0, remember, told, NULL);

    g_assert_true(run_events_end(events, json_pack("{s:s}", "message_type", "run_end"), NULL));
    g_assert_cmpuint(json_array_size(told), ==, 1);
    json_decref(told);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runevents/lines", events_are_lines_in_the_file_and_are_told);
    g_test_add_func("/runevents/lock", the_file_is_locked_while_the_run_lives);
    g_test_add_func("/runevents/full", what_cannot_be_written_is_told_in_the_end);
    g_test_add_func("/runevents/no-file", without_a_file_events_are_only_told);
    return g_test_run();
}
