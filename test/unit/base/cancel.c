/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static void nothing_is_never_set(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(cancel_is_set(NULL));
    g_assert_true(cancel_check(NULL, &error));
    g_assert_no_error(error);
}

static void set_it_stops_whoever_asks(void)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(cancel_check(cancel, &error));
    g_assert_cmpint(cancel_age_ms(cancel), ==, 0);
    cancel_set(cancel);
    g_assert_true(cancel_is_set(cancel));
    g_usleep(20 * 1000);
    cancel_set(cancel); // of no account
    g_assert_cmpint(cancel_age_ms(cancel), >=, 20);
    g_assert_cmpint(cancel_age_ms(NULL), ==, 0);
    g_assert_false(cancel_check(cancel, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
}

/* The exit status of a process that gets these signals; 100 when it is cancelled after them, else
 * 0. */
static int status_after(const int *signums)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        Cancel *cancel = cancel_new();

        cancel_on_signals(cancel);
        for (; *signums; signums++)
            (void)raise(*signums);
        _exit(cancel_is_set(cancel) ? 100 : 0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void signals_do_what_the_header_says(void)
{
    static const struct {
        const char *label;
        int signums[4];
        int want;
    } cases[] = {
        { "no signal", { 0 }, 0 },
        { "SIGHUP and SIGPIPE are ignored", { SIGHUP, SIGPIPE }, 0 },
        { "SIGTERM sets", { SIGTERM }, 100 },
        { "SIGTERM may come twice", { SIGTERM, SIGTERM }, 100 },
        { "SIGINT sets", { SIGINT }, 100 },
        { "the first SIGINT after SIGTERM still waits", { SIGTERM, SIGINT }, 100 },
        { "the second SIGINT ends", { SIGINT, SIGINT }, 130 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].label);
        g_assert_cmpint(status_after(cases[i].signums), ==, cases[i].want);
    }
}

static void a_signal_after_free_is_harmless(void)
{
    {
        g_autoptr(Cancel) cancel = cancel_new();

        cancel_on_signals(cancel);
    }
    (void)raise(SIGTERM);
}

static void a_child_can_be_waited_for_whoever_started_us(void)
{
    static const int none[] = { 0 };
    g_autoptr(Cancel) cancel = cancel_new();

    (void)signal(SIGCHLD, SIG_IGN);
    cancel_on_signals(cancel);
    g_assert_cmpint(status_after(none), ==, 0);
}

static void *set_soon(void *cancel)
{
    g_usleep(50 * 1000);
    cancel_set(cancel);
    return NULL;
}

static void a_silent_pipe_does_not_keep_us(void)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    pthread_t setter;
    int ends[2];
    char room[8];

    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(write(ends[1], "abc", 3), ==, 3);
    g_assert_cmpint(cancel_read(cancel, ends[0], room, sizeof room, &error), ==, 3);
    g_assert_cmpint(pthread_create(&setter, NULL, set_soon, cancel), ==, 0);
    g_assert_cmpint(cancel_read(cancel, ends[0], room, sizeof room, &error), ==, -1);
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    pthread_join(setter, NULL);
    close(ends[1]);
    g_assert_cmpint(cancel_read(NULL, ends[0], room, sizeof room, NULL), ==, 0);
    close(ends[0]);
}

static void a_full_pipe_does_not_keep_us(void)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autofree char *megabyte = g_strnfill(1 << 20, 'x');
    pthread_t setter;
    int ends[2];

    g_assert_cmpint(pipe(ends), ==, 0);
    (void)alarm(120);
    g_assert_cmpint(cancel_write(cancel, ends[1], megabyte, 1000), ==, 1000);
    while (fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 && write(ends[1], megabyte, 1 << 20) > 0)
        ;
    g_assert_cmpint(fcntl(ends[1], F_SETFL, 0), ==, 0);
    g_assert_cmpint(pthread_create(&setter, NULL, set_soon, cancel), ==, 0);
    g_assert_cmpint(cancel_write(cancel, ends[1], megabyte, 1 << 20), ==, -1);
    g_assert_cmpint(errno, ==, ECANCELED);
    (void)alarm(0);
    pthread_join(setter, NULL);
    close(ends[0]);
    close(ends[1]);
}

static void a_sleep_ends_when_it_is_set(void)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    gint64 started_us = g_get_monotonic_time();
    pthread_t setter;

    g_assert_true(cancel_sleep(cancel, 0, NULL));
    g_assert_true(cancel_sleep(NULL, 20, NULL));
    g_assert_cmpint(g_get_monotonic_time() - started_us, >=, 20 * 1000);
    g_assert_cmpint(pthread_create(&setter, NULL, set_soon, cancel), ==, 0);
    g_assert_false(cancel_sleep(cancel, 3600 * 1000, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - started_us, <, 60 * G_USEC_PER_SEC);
    pthread_join(setter, NULL);
}

/* Last: the clock stays set. */
static void a_sleep_moves_a_set_clock(void)
{
    g_autoptr(Cancel) cancel = cancel_new();

    clock_set((Timestamp){ .sec = 1000 });
    g_assert_true(cancel_sleep(cancel, 3600 * 1000 + 30, NULL));
    g_assert_cmpint(clock_now().sec, ==, 4600);
    g_assert_cmpuint(clock_now().nsec, ==, 30 * 1000 * 1000);
}

static void *signal_soon(void *thread)
{
    g_usleep(50 * 1000);
    (void)pthread_kill(*(pthread_t *)thread, SIGTERM);
    return NULL;
}

static void a_signal_during_the_wait_ends_it(void)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    pthread_t self = pthread_self(), sender;
    int ends[2];
    char room[8];

    cancel_on_signals(cancel);
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(pthread_create(&sender, NULL, signal_soon, &self), ==, 0);
    (void)alarm(120);
    g_assert_cmpint(cancel_read(cancel, ends[0], room, sizeof room, &error), ==, -1);
    (void)alarm(0);
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    pthread_join(sender, NULL);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cancel/null", nothing_is_never_set);
    g_test_add_func("/cancel/set", set_it_stops_whoever_asks);
    g_test_add_func("/cancel/signals", signals_do_what_the_header_says);
    g_test_add_func("/cancel/freed", a_signal_after_free_is_harmless);
    g_test_add_func("/cancel/read", a_silent_pipe_does_not_keep_us);
    g_test_add_func("/cancel/write", a_full_pipe_does_not_keep_us);
    g_test_add_func("/cancel/signal-during-read", a_signal_during_the_wait_ends_it);
    g_test_add_func("/cancel/children", a_child_can_be_waited_for_whoever_started_us);
    g_test_add_func("/cancel/sleep", a_sleep_ends_when_it_is_set);
    g_test_add_func("/cancel/sleep-with-a-set-clock", a_sleep_moves_a_set_clock);
    return g_test_run();
}
