/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"

/* Puts fd in the place of standard error; returns the real one. */
static int divert(int fd)
{
    int real = dup(STDERR_FILENO);

    g_assert_cmpint(dup2(fd, STDERR_FILENO), ==, STDERR_FILENO);
    return real;
}

static void restore(int real)
{
    g_assert_cmpint(dup2(real, STDERR_FILENO), ==, STDERR_FILENO);
    (void)close(real);
}

/* Reads once: a line that comes in two writes would be cut. */
static char *read_once(int fd)
{
    g_autofree char *text = g_malloc0(65536);

    g_assert_cmpint(read(fd, text, 65535), >=, 0);
    return g_steal_pointer(&text);
}

static void elsewhere_a_line_is_json(void)
{
    g_autofree char *text = NULL;
    int fds[2], real;

    g_assert_cmpint(pipe(fds), ==, 0);
    clock_set((Timestamp){ .sec = 951827696, .nsec = 7999999 }); // date -u -d @951827696
    real = divert(fds[1]);
    log_error("backup failed", "source", "db \"one\"", "path", "a\\b\n\x1b[2J\xc2\x9b\x7f", "bytes",
              "ok \xc3\xa4 bad \xff\xc3", NULL);
    restore(real);
    text = read_once(fds[0]);
    g_assert_cmpstr(
        text, ==,
        "{\"ts\":\"2000-02-29T12:34:56.007Z\",\"level\":\"error\",\"msg\":\"backup failed\","
        "\"source\":\"db \\\"one\\\"\",\"path\":\"a\\\\b\\n\\u001b[2J\\u009b\\u007f\","
        "\"bytes\":\"ok \xc3\xa4 bad \xef\xbf\xbd\xef\xbf\xbd\"}\n");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void on_a_terminal_a_line_is_text(void)
{
    g_autofree char *text = NULL;
    int ours = posix_openpt(O_RDWR | O_NOCTTY), terminal, real;
    struct termios modes;

    if (ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0 ||
        (terminal = open(ptsname(ours), O_RDWR | O_NOCTTY)) < 0) {
        g_test_fail_printf("no pseudo terminal here");
        return;
    }
    g_assert_cmpint(tcgetattr(terminal, &modes), ==, 0);
    cfmakeraw(&modes);
    g_assert_cmpint(tcsetattr(terminal, TCSANOW, &modes), ==, 0);
    real = divert(terminal);
    log_warn("odd file", "path", "/a b\x1b", "size", "17", "owner", "", NULL);
    restore(real);
    text = read_once(ours);
    g_assert_cmpstr(text, ==, "warn: odd file path=\"/a b\\u001b\" size=17 owner=\"\"\n");
    (void)close(terminal);
    (void)close(ours);
}

static void below_the_level_nothing_is_written(void)
{
    g_autofree char *text = NULL;
    int fds[2], real;

    g_assert_cmpint(pipe2(fds, O_NONBLOCK), ==, 0);
    g_assert_cmpint(log_level(), ==, LOG_WARN);
    real = divert(fds[1]);
    log_info("quiet", NULL);
    log_debug("quiet", NULL);
    restore(real);
    g_assert_cmpint(read(fds[0], &(char){ 0 }, 1), ==, -1);

    log_set_level(LOG_DEBUG);
    real = divert(fds[1]);
    log_debug("loud", NULL);
    restore(real);
    log_set_level(LOG_WARN);
    text = read_once(fds[0]);
    g_assert_nonnull(strstr(text, "\"level\":\"debug\",\"msg\":\"loud\"}\n"));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

#define WRITERS 4
#define LINES   200

static void *write_lines(void *value)
{
    for (int i = 0; i < LINES; i++)
        log_error("line", "value", (const char *)value, NULL);
    return NULL;
}

static void lines_of_several_threads_stay_whole(void)
{
    g_autofree char *path = NULL, *text = NULL, *value = g_strnfill(3000, 'v');
    g_autofree char *end = g_strdup_printf("\"value\":\"%s\"}", value);
    g_auto(GStrv) lines = NULL;
    pthread_t threads[WRITERS];
    int fd = g_file_open_tmp("log-XXXXXX", &path, NULL), real;

    g_assert_cmpint(fcntl(fd, F_SETFL, O_APPEND), ==, 0);
    real = divert(fd);
    for (int i = 0; i < WRITERS; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, write_lines, value), ==, 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    restore(real);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(g_strchomp(text), "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, WRITERS * LINES);
    for (char **line = lines; *line; line++)
        g_assert_true(g_str_has_prefix(*line, "{\"ts\":") && g_str_has_suffix(*line, end));
    (void)close(fd);
    (void)unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/json", elsewhere_a_line_is_json);
    g_test_add_func("/log/terminal", on_a_terminal_a_line_is_text);
    g_test_add_func("/log/level", below_the_level_nothing_is_written);
    g_test_add_func("/log/threads", lines_of_several_threads_stay_whole);
    return g_test_run();
}
