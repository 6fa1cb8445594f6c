/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runpause.h"

#include "base/clock.h"
#include "base/error.h"
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS  300000
#define LIMIT_MS 5000 /* a busy machine needs a while to start two shells */

static char *const sources[] = { (char *)"database", NULL };

typedef struct {
    char *dir;
    GString *said;
    Cancel *cancel;
    char *pause[3], *resume[3];
} Place;

static void remember(const char *text, void *user)
{
    g_string_append_printf(user, "%s|", text);
}

/* The hooks run in the directory; "journal" there tells what they did. */
static void set_up(Place *place, const char *pause, const char *resume)
{
    *place = (Place){ .dir = g_dir_make_tmp("runpause-XXXXXX", NULL) };
    g_assert_nonnull(place->dir);
    place->said = g_string_new(NULL);
    place->cancel = cancel_new();
    place->pause[0] = g_strdup_printf("cd %s; echo pause >>journal", place->dir);
    place->pause[1] = g_strdup_printf("cd %s; %s", place->dir, pause);
    place->resume[0] = g_strdup_printf("cd %s; %s", place->dir, resume);
    place->resume[1] = g_strdup_printf("cd %s; echo last >>journal", place->dir);
}

static void tear_down(Place *place)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", place->dir);

    g_assert_cmpint(system(command), ==, 0);
    g_string_free(place->said, TRUE);
    cancel_free(place->cancel);
    for (int i = 0; i < 2; i++) {
        g_free(place->pause[i]);
        g_free(place->resume[i]);
    }
    g_free(place->dir);
}

static bool begin(const Place *place, int64_t limit_ms, RunPause **ret_pause, GError **error)
{
    RunPauseRequest request = { .pause = place->pause,
                                .resume = place->resume,
                                .limit_ms = limit_ms,
                                .hook = { .run = "0123",
                                          .schedule = "shop",
                                          .state = "running",
                                          .sources = sources,
                                          .timeout_ms = LONG_MS,
                                          .cancel = place->cancel,
                                          .line = remember,
                                          .user = place->said } };

    return run_pause_begin(&request, ret_pause, error);
}

static char *journal(const Place *place)
{
    g_autofree char *path = g_build_filename(place->dir, "journal", NULL);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    return g_strdelimit(text, "\n", ' ');
}

static void assert_journal(const Place *place, const char *want)
{
    g_autofree char *text = journal(place);

    g_assert_cmpstr(text, ==, want);
}

static void await_journal(const Place *place, const char *want)
{
    int64_t until = clock_monotonic_ms() + LONG_MS;

    for (;;) {
        g_autofree char *text = journal(place);

        if (strcmp(text, want) == 0)
            return;
        g_assert_cmpint(clock_monotonic_ms(), <, until);
        g_usleep(20000);
    }
}

/* A place where something is paused. */
static RunPause *set_up_paused(Place *place, const char *pause, const char *resume,
                               int64_t limit_ms)
{
    g_autoptr(GError) error = NULL;
    RunPause *paused = NULL;

    set_up(place, pause, resume);
    g_assert_true(begin(place, limit_ms, &paused, &error));
    g_assert_no_error(error);
    return paused;
}

static void tear_down_paused(Place *place, RunPause *pause)
{
    run_pause_free(pause);
    tear_down(place);
}

/* Until it is over; that it was done is told just after. */
static void await_end(RunPause *pause, GError **error)
{
    while (run_pause_holds(pause, error))
        g_usleep(20000);
}

static void it_holds_until_it_is_asked(void)
{
    g_autoptr(GError) error = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(&place, "echo paused $BACKSTAY_SCHEDULE",
                                    "echo resume >>journal; echo resumed >&2", LONG_MS);

    g_assert_true(run_pause_holds(pause, &error));
    assert_journal(&place, "pause ");
    g_assert_true(run_pause_end(pause, &ms, &error));
    g_assert_no_error(error);
    assert_journal(&place, "pause resume last ");
    g_assert_cmpint(ms, >=, 0);
    g_assert_cmpstr(place.said->str, ==, "paused shop|resumed|");
    run_pause_free(pause);
    assert_journal(&place, "pause resume last "); // once
    tear_down(&place);
}

static void what_does_not_pause_is_resumed(void)
{
    static const struct {
        const char *label, *pause, *resume;
        int64_t limit_ms;
        const char *want, *journal;
    } cases[] = {
        { "it fails", "exit 3", "echo resume >>journal", LONG_MS, "pause-hook 2: exit status 3",
          "pause resume last " },
        { "75 is a failure, too", "exit 75", "true", LONG_MS,
          "pause-hook 2: exit status 75, which skips nothing here", "pause last " },
        { "it hangs, and so does what it started", "(sleep 1000; echo late >>journal) & wait",
          "echo resume >>journal", LIMIT_MS, "pause-hook 2: it was ended after pause_limit (5 s)",
          "pause resume last " },
        { "nothing works", "exit 3", "exit 4", LONG_MS,
          "resume-hook 1: exit status 4, so the application may still be paused; resume it by "
          "hand; before that: pause-hook 2: exit status 3",
          "pause last " },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        RunPause *pause = NULL;
        Place place;

        g_test_message("%s", cases[i].label);
        set_up(&place, cases[i].pause, cases[i].resume);
        g_assert_false(begin(&place, cases[i].limit_ms, &pause, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
        g_test_message("%s", error->message);
        g_assert_true(g_pattern_match_simple(cases[i].want, error->message));
        g_assert_null(pause);
        assert_journal(&place, cases[i].journal);
        tear_down(&place);
    }
}

static void it_ends_when_its_time_is_over(void)
{
    g_autoptr(GError) error = NULL, again = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(&place, "true", "echo resume >>journal", LIMIT_MS);

    await_journal(&place, "pause resume last "); // without us
    await_end(pause, &error);
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "pause_limit (5 s)"));
    g_assert_false(run_pause_end(pause, &ms, &again));
    g_assert_cmpstr(again->message, ==, error->message);
    assert_journal(&place, "pause resume last ");
    tear_down_paused(&place, pause);
}

static void a_resume_that_fails_is_told(void)
{
    g_autoptr(GError) error = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(&place, "true", "exit 5", LONG_MS);

    g_assert_false(run_pause_end(pause, &ms, &error));
    g_assert_cmpstr(error->message, ==,
                    "resume-hook 1: exit status 5, so the application may still be paused; resume "
                    "it by hand");
    assert_journal(&place, "pause last "); // the others are run all the same
    tear_down_paused(&place, pause);
}

/* As when a service is ended whole: the guard is told to end, and so is its resume hook. */
static void a_resume_that_is_ended_is_tried_again(void)
{
    g_autoptr(GError) error = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(
        &place, "true", "echo resume >>journal; test -e killed || { >killed; kill -TERM $$; }",
        LONG_MS);

    g_assert_true(run_pause_end(pause, &ms, &error));
    assert_journal(&place, "pause resume resume last ");
    tear_down_paused(&place, pause);
}

static void it_is_resumed_when_the_run_is_cancelled(void)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    RunPause *pause = NULL;
    Place place;

    set_up(&place, "sleep 1000", "echo resume >>journal");
    cancel_set(place.cancel);
    g_assert_false(begin(&place, LONG_MS, &pause, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    text = journal(&place);
    g_assert_true(g_str_has_suffix(text, "resume last ")); // the first one may have done its work
    tear_down(&place);
}

/* What is being opened may not look for a while. */
static void it_is_resumed_although_the_run_is_busy(void)
{
    g_autoptr(GError) error = NULL, again = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(&place, "true", "echo resume >>journal", LONG_MS);

    cancel_set(place.cancel);
    await_journal(&place, "pause resume last ");
    await_end(pause, &error);
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_false(run_pause_end(pause, &ms, &again));
    g_assert_error(again, BS_ERROR, BS_ERROR_CANCELLED);
    tear_down_paused(&place, pause);
}

/* signal: to the guard, which is the parent of its hooks. */
static void guard_gets(int signal, const char *want)
{
    g_autofree char *command = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;
    int64_t ms = -1;
    Place place;
    RunPause *pause = set_up_paused(&place, "echo $PPID >guard", "echo resume >>journal", LONG_MS);

    command = g_build_filename(place.dir, "guard", NULL);
    g_assert_true(g_file_get_contents(command, &text, NULL, &error));
    g_assert_cmpint(kill((pid_t)atoi(text), signal), ==, 0);
    await_end(pause, &error);
    g_assert_nonnull(strstr(error->message, want));
    g_clear_error(&error);
    g_assert_false(run_pause_end(pause, &ms, &error));
    assert_journal(&place, "pause resume last ");
    tear_down_paused(&place, pause);
}

static void it_is_resumed_when_the_guard_is_ended(void)
{
    guard_gets(SIGTERM, "told to end");
    guard_gets(SIGKILL, "has died");
}

static void it_is_resumed_when_the_run_is_killed(void)
{
    static const char *const hangs[] = { "true", "sleep 1000; echo late >>journal" };

    for (size_t i = 0; i < G_N_ELEMENTS(hangs); i++) {
        Place place;
        pid_t run;

        set_up(&place, hangs[i], "echo resume >>journal");
        run = fork();
        if (run == 0) {
            RunPause *pause = NULL;

            (void)begin(&place, LONG_MS, &pause, NULL);
            g_usleep((gulong)LONG_MS * 1000);
            _exit(1);
        }
        await_journal(&place, "pause ");
        g_assert_cmpint(kill(run, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(run, NULL, 0), ==, run);
        await_journal(&place, "pause resume last ");
        tear_down(&place);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runpause/holds", it_holds_until_it_is_asked);
    g_test_add_func("/runpause/fails", what_does_not_pause_is_resumed);
    g_test_add_func("/runpause/time", it_ends_when_its_time_is_over);
    g_test_add_func("/runpause/resume", a_resume_that_fails_is_told);
    g_test_add_func("/runpause/again", a_resume_that_is_ended_is_tried_again);
    g_test_add_func("/runpause/cancel", it_is_resumed_when_the_run_is_cancelled);
    g_test_add_func("/runpause/busy", it_is_resumed_although_the_run_is_busy);
    g_test_add_func("/runpause/guard", it_is_resumed_when_the_guard_is_ended);
    g_test_add_func("/runpause/killed", it_is_resumed_when_the_run_is_killed);
    return g_test_run();
}
