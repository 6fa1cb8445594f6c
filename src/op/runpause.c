/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runpause.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "op/pauseguard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_MS 20 /* that the watcher is asked to stop after */

struct RunPause {
    RunPauseRequest request;
    GStrv environment;
    char *oom_score_adj;
    pid_t guard;
    int reports, said;
    bool watched; /* there is a watcher */
    pthread_t watcher;
    pthread_mutex_t lock; /* guards what follows */
    int control;          /* closed: resume */
    bool stop;            /* the watcher */
    int64_t began_ms, took_ms;
    bool settled; /* resumed, or tried to */
    GError *why;  /* of settled: why it did not hold, or was not resumed; NULL: it was as asked */
};

/* ---- the guard ---- */

/* A pair whose reading end is ours unless it is for us to write. */
static bool make_pipe(int *ret_ours, int *ret_its, bool we_write, GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    *ret_ours = fds[we_write];
    *ret_its = fds[!we_write];
    return true;
}

static bool make_pipes(RunPause *pause, PauseGuard *guard, GError **error)
{
    if (!make_pipe(&pause->control, &guard->control, true, error) ||
        !make_pipe(&pause->reports, &guard->reports, false, error) ||
        !make_pipe(&pause->said, &guard->said, false, error))
        return false;
    if (fcntl(pause->said, F_SETFL, O_NONBLOCK) == 0 &&
        fcntl(guard->said, F_SETFL, O_NONBLOCK) == 0)
        return true;
    bs_error_errno(error, errno, "pipe");
    return false;
}

/* Signals wait from before the fork, so none ends the guard before it listens to them. */
static bool fork_guard(RunPause *pause, const PauseGuard *guard, GError **error)
{
    sigset_t all, before;
    int errnum;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pause->guard = fork();
    if (pause->guard == 0)
        pause_guard_main(guard);
    errnum = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pause->guard > 0)
        return true;
    pause->guard = 0;
    bs_error_errno(error, errnum, "fork");
    return false;
}

static bool start_guard(RunPause *pause, GError **error)
{
    PauseGuard guard = { .control = -1,
                         .reports = -1,
                         .said = -1,
                         .pause = pause->request.pause,
                         .resume = pause->request.resume,
                         .environment = pause->environment,
                         .oom_score_adj = pause->oom_score_adj,
                         .limit_ms = pause->request.limit_ms,
                         .resume_limit_ms = pause->request.hook.timeout_ms };
    bool ok = make_pipes(pause, &guard, error) && fork_guard(pause, &guard, error);

    fs_clear_fd(&guard.control);
    fs_clear_fd(&guard.reports);
    fs_clear_fd(&guard.said);
    return ok;
}

static void ask_to_resume(RunPause *pause)
{
    pthread_mutex_lock(&pause->lock);
    fs_clear_fd(&pause->control);
    pthread_mutex_unlock(&pause->lock);
}

/* A source that is being opened may not look at cancel for a minute; who is paused need not wait.
 */
static void *watcher_main(void *user)
{
    RunPause *pause = user;

    for (bool stop = false; !stop;) {
        bool cancelled = !cancel_sleep(pause->request.hook.cancel, ASK_MS, NULL);

        if (cancelled)
            ask_to_resume(pause);
        pthread_mutex_lock(&pause->lock);
        stop = pause->stop || cancelled;
        pthread_mutex_unlock(&pause->lock);
    }
    return NULL;
}

static void start_watcher(RunPause *pause)
{
    g_assert(pthread_create(&pause->watcher, NULL, watcher_main, pause) == 0);
    pause->watched = true;
}

static void stop_watcher(RunPause *pause)
{
    if (!pause->watched)
        return;
    pthread_mutex_lock(&pause->lock);
    pause->stop = true;
    pthread_mutex_unlock(&pause->lock);
    pthread_join(pause->watcher, NULL);
    pause->watched = false;
}

/* ---- what it tells ---- */

typedef enum { REPORT_NONE, REPORT_COME, REPORT_GONE } Reported;

/* wait_ms: -1 until there is one. REPORT_GONE: the guard has died without one. */
static Reported wait_report(const RunPause *pause, int wait_ms, GuardReport *ret_report)
{
    struct pollfd polled = { .fd = pause->reports, .events = POLLIN };
    ssize_t n;

    do
        n = poll(&polled, 1, wait_ms);
    while (n < 0 && errno == EINTR && wait_ms < 0);
    if (n <= 0)
        return REPORT_NONE;
    do
        n = read(pause->reports, ret_report, sizeof *ret_report);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *ret_report ? REPORT_COME : REPORT_GONE;
}

/* What hooks have printed; a pipe holds no more than what is told of one hook anyway. */
static void tell_output(const RunPause *pause)
{
    const HookRun *hook = &pause->request.hook;
    g_autoptr(GString) all = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;
    char buf[4096];
    ssize_t n;

    while (all->len < HOOK_OUTPUT_MAX && (n = read(pause->said, buf, sizeof buf)) > 0)
        g_string_append_len(all, buf, n);
    for (gsize i = 0; i < all->len; i++)
        all->str[i] = all->str[i] ? all->str[i] : ' ';
    lines = g_strsplit(all->str, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (strlen(*line) > HOOK_LINE_MAX)
            (*line)[HOOK_LINE_MAX] = '\0';
        if (**line && hook->line)
            hook->line(*line, hook->user);
    }
}

static GError *hook_failure(const char *which, unsigned n, int status)
{
    GError *failure = NULL;

    if (status == GUARD_NOT_STARTED)
        return g_error_new(BS_ERROR, BS_ERROR_FAILED, "%s-hook %u: could not be started", which, n);
    if (status == HOOK_SOFT_SKIP)
        g_set_error(&failure, BS_ERROR, BS_ERROR_FAILED, "exit status %d, which skips nothing here",
                    status);
    else
        (void)hook_judge(status, &failure);
    g_prefix_error(&failure, "%s-hook %u: ", which, n);
    return failure;
}

/* NULL: it held until we asked. */
static GError *broken_by(const RunPause *pause, const GuardReport *report)
{
    double limit_s = (double)pause->request.limit_ms / 1000;

    switch (report->what) {
    case GUARD_TIME_OVER:
        return g_error_new(BS_ERROR, BS_ERROR_FAILED,
                           "the application was resumed after pause_limit (%g s), before all "
                           "sources were opened; allow more, or find out what is slow",
                           limit_s);
    case GUARD_HOOK_SLOW:
        return g_error_new(BS_ERROR, BS_ERROR_FAILED,
                           "pause-hook %u: it was ended after pause_limit (%g s)",
                           report->pause_hook, limit_s);
    case GUARD_HOOK_FAILED:
        return hook_failure("pause", report->pause_hook, report->pause_status);
    case GUARD_TOLD_TO_END:
        return g_error_new(BS_ERROR, BS_ERROR_FAILED,
                           "the application was resumed before all sources were opened, because "
                           "the guard of the pause was told to end");
    case GUARD_PAUSED:
    case GUARD_ASKED:
        break;
    }
    return NULL;
}

/* What people must see to comes first. */
static GError *not_resumed(GError *failure, GError *why)
{
    GError *all =
        g_error_new(BS_ERROR, BS_ERROR_FAILED,
                    "%s, so the application may still be paused; resume it by hand%s%s",
                    failure->message, why ? "; before that: " : "", why ? why->message : "");

    g_error_free(failure);
    g_clear_error(&why);
    return all;
}

/* ---- the end ---- */

/* The guard is dead, and what was paused stays so unless we do it. */
static GError *resume_ourselves(RunPause *pause)
{
    HookRun hook = pause->request.hook;
    GError *failure = NULL;

    hook.cancel = NULL;
    for (unsigned i = 0; pause->request.resume[i]; i++) {
        g_autofree char *what = g_strdup_printf("resume-hook %u", i + 1);
        GError *problem = NULL;

        if (hook_run(what, pause->request.resume[i], &hook, &problem))
            continue;
        if (failure)
            g_error_free(problem);
        else
            failure = problem;
    }
    return failure;
}

static void settle(RunPause *pause, Reported reported, const GuardReport *report)
{
    GError *failure = NULL, *why;

    if (reported == REPORT_COME) {
        why = broken_by(pause, report);
        if (report->resume_hook > 0)
            failure = hook_failure("resume", report->resume_hook, report->resume_status);
    } else {
        why = g_error_new_literal(BS_ERROR, BS_ERROR_FAILED,
                                  "the guard of the pause has died, so when the application was "
                                  "resumed is not certain");
        failure = resume_ourselves(pause);
    }
    if (!why)
        (void)cancel_check(pause->request.hook.cancel, &why); // then it was not we who asked
    pause->why = failure ? not_resumed(failure, why) : why;
    pause->took_ms = clock_monotonic_ms() - pause->began_ms;
    pause->settled = true;
    tell_output(pause);
}

/* Until it is resumed. */
static void finish(RunPause *pause)
{
    GuardReport report = { 0 };
    Reported reported;

    ask_to_resume(pause);
    while (!pause->settled) {
        reported = wait_report(pause, -1, &report);
        if (reported != REPORT_COME || report.what != GUARD_PAUSED)
            settle(pause, reported, &report);
    }
}

static bool judge(const RunPause *pause, GError **error)
{
    if (pause->why)
        g_propagate_error(error, g_error_copy(pause->why));
    return !pause->why;
}

bool run_pause_holds(RunPause *pause, GError **error)
{
    GuardReport report = { 0 };
    Reported reported = pause->settled ? REPORT_NONE : wait_report(pause, 0, &report);

    if (reported != REPORT_NONE)
        settle(pause, reported, &report);
    return judge(pause, error);
}

bool run_pause_end(RunPause *pause, int64_t *ret_ms, GError **error)
{
    finish(pause);
    *ret_ms = pause->took_ms;
    return judge(pause, error);
}

void run_pause_free(RunPause *pause)
{
    if (!pause)
        return;
    if (pause->guard > 0) {
        finish(pause);
        stop_watcher(pause);
        while (waitpid(pause->guard, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    fs_clear_fd(&pause->control);
    fs_clear_fd(&pause->reports);
    fs_clear_fd(&pause->said);
    pthread_mutex_destroy(&pause->lock);
    g_clear_error(&pause->why);
    g_strfreev(pause->environment);
    g_free(pause->oom_score_adj);
    g_free(pause);
}

/* ---- the begin ---- */

static bool await_paused(RunPause *pause, GError **error)
{
    GuardReport report = { 0 };
    Reported reported = wait_report(pause, -1, &report);

    if (reported == REPORT_COME && report.what == GUARD_PAUSED)
        return true;
    settle(pause, reported, &report);
    return judge(pause, error);
}

bool run_pause_begin(const RunPauseRequest *request, RunPause **ret_pause, GError **error)
{
    g_autoptr(RunPause) pause = g_new0(RunPause, 1);

    pause->request = *request;
    pause->control = pause->reports = pause->said = -1;
    pause->environment = hook_environment(NULL, &request->hook);
    (void)g_file_get_contents("/proc/self/oom_score_adj", &pause->oom_score_adj, NULL, NULL);
    pause->began_ms = clock_monotonic_ms();
    pthread_mutex_init(&pause->lock, NULL);
    if (!start_guard(pause, error))
        return false;
    start_watcher(pause);
    if (!await_paused(pause, error))
        return false;
    *ret_pause = g_steal_pointer(&pause);
    return true;
}
