/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/eventsfile.h"
#include "../lib/tempdir.h"
#include "base/error.h"
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

static void gather(const json_t *event, void *user)
{
    g_string_append_printf(user, "%s ", json_string_value(json_object_get(event, "message_type")));
}

static char *read_all(EventsFile *file)
{
    GString *types = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    events_file_read(file, gather, types, &error);
    g_assert_no_error(error);
    return g_string_free(types, FALSE);
}

static void append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize)strlen(text));
    (void)close(fd);
}

static void lines_are_told_once_and_whole(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, EVENTS_NAME, NULL);
    g_autoptr(EventsFile) file = events_file_open(path, NULL);
    static const struct {
        const char *label, *added, *want;
    } steps[] = {
        { "nothing yet", "", "" },
        { "one line", "{\"message_type\":\"a\"}\n", "a " },
        { "the begin of one", "{\"message_type\":", "" },
        { "and its end, with another", "\"b\"}\n{\"message_type\":\"c\"}\n", "b c " },
        { "what is no object", "12\nnonsense\n\n[]\n{\"message_type\":\"d\"}\n", "d " },
        { "a key twice", "{\"message_type\":\"e\",\"message_type\":\"f\"}\n", "" },
    };

    g_assert_true(events_file_is_empty(file));
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *got = NULL;

        g_test_message("%s", steps[i].label);
        append(path, steps[i].added);
        got = read_all(file);
        g_assert_cmpstr(got, ==, steps[i].want);
    }
    g_assert_false(events_file_is_empty(file));
    tempdir_remove(dir);
}

static void a_line_without_an_end_takes_no_memory(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, EVENTS_NAME, NULL);
    g_autoptr(EventsFile) file = events_file_open(path, NULL);
    g_autofree char *long_line = g_strnfill(EVENTS_LINE_MAX + 10, ' ');
    g_autofree char *got = NULL;

    append(path, long_line);
    append(path, "{\"message_type\":\"late\"}\n{\"message_type\":\"next\"}\n");
    got = read_all(file);
    g_assert_cmpstr(got, ==, "next ");
    tempdir_remove(dir);
}

static void a_run_that_died_gets_an_end(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, EVENTS_NAME, NULL);
    g_autoptr(EventsFile) file = events_file_open(path, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *got = NULL;
    int run = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    g_assert_cmpint(flock(run, LOCK_EX), ==, 0);
    g_assert_true(events_file_is_locked(file));
    append(path, "{\"message_type\":\"run_begin\"}\n{\"message_type\":\"sta");
    g_assert_false(events_file_end(file, json_pack("{s:s}", "message_type", "run_end"), &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    (void)close(run);
    g_assert_false(events_file_is_locked(file));
    got = read_all(file);
    g_assert_cmpstr(got, ==, "run_begin ");
    g_assert_true(events_file_end(file, json_pack("{s:s}", "message_type", "run_end"), NULL));
    g_free(got);
    got = read_all(file);
    g_assert_cmpstr(got, ==, "run_end ");
    tempdir_remove(dir);
}

/* ---- processes ---- */

static pid_t start(const char *const *argv, int output)
{
    const ProcessStart how = { .argv = argv, .dir = "/", .output = output };
    g_autoptr(GError) error = NULL;
    pid_t pid = 0;

    g_assert_true(process_start(&how, &pid, &error));
    g_assert_no_error(error);
    return pid;
}

static bool has_more_than_three(pid_t pid)
{
    g_autofree char *fds = g_strdup_printf("/proc/%d/fd", (int)pid);
    g_autoptr(GDir) dir = g_dir_open(fds, 0, NULL);
    const char *name;
    bool more = false;

    while ((name = g_dir_read_name(dir)))
        more = more || atoi(name) >= 3;
    return more;
}

static void a_process_is_started_in_a_session_of_its_own(void)
{
    const char *const argv[] = { "/usr/bin/sleep", "600", NULL };
    const pid_t pid = start(argv, STDERR_FILENO);
    bool more = true;
    int status;

    // while it is loaded its own libraries are open for a moment; what it got from us stays open
    for (int i = 0; i < 6000 && more; i++) {
        more = has_more_than_three(pid);
        if (more)
            g_usleep(10000);
    }
    if (more)
        (void)kill(pid, SIGKILL); // or else it keeps our output open for ten minutes
    g_assert_false(more);
    g_assert_cmpint(getsid(pid), ==, pid);
    g_assert_cmpuint(process_start_time(pid), >, 0);
    g_assert_false(process_signal(pid, process_start_time(pid) + 1, SIGTERM));
    g_assert_cmpint(errno, ==, ESRCH);
    g_assert_true(process_signal(pid, process_start_time(pid), SIGTERM));
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, SIGTERM);
    g_assert_cmpuint(process_start_time(pid), ==, 0);
    g_assert_false(process_signal(pid, 0, SIGTERM));
}

static void what_cannot_be_started_is_an_error(void)
{
    const char *const argv[] = { "/nonexistent/program", NULL };
    const ProcessStart how = { .argv = argv, .output = STDERR_FILENO };
    g_autoptr(GError) error = NULL;
    pid_t pid;

    g_assert_false(process_start(&how, &pid, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "/nonexistent/program"));
    g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/eventsfile/lines", lines_are_told_once_and_whole);
    g_test_add_func("/eventsfile/long", a_line_without_an_end_takes_no_memory);
    g_test_add_func("/eventsfile/end", a_run_that_died_gets_an_end);
    g_test_add_func("/process/session", a_process_is_started_in_a_session_of_its_own);
    g_test_add_func("/process/missing", what_cannot_be_started_is_an_error);
    return g_test_run();
}
