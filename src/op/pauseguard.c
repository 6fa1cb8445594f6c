/* SPDX-License-Identifier: Apache-2.0 */
#include "op/pauseguard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ASK_MS       100 /* that the clock is looked at after; the end of a hook wakes us */
#define TERM_MS      2000
#define TRIES        3 /* of a resume hook that somebody else ended, or that could not be started */
#define REST_READS   17 /* of 4 KiB: what a pipe holds, once a hook has ended */
#define EXIT_NOT_RUN 127
#define SIGNALED     128 /* plus the signal */
#define OWN_SCORE    "-1000"
#define FIRST_UNSEEN 4096

typedef struct {
    const PauseGuard *given;
    int signals, null;
    int64_t until_ms; /* of the pause */
    bool told;        /* to end */
} Guard;

/* How the wait for a hook has ended. */
typedef enum { HOOK_ENDED, HOOK_OVER, HOOK_ASKED, HOOK_TOLD } HookEnd;

/* clock_monotonic_ms() takes a lock, which a thread that is not here may have held. */
static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void set_score(const char *text)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    (void)!write(fd, text, strlen(text));
    (void)close(fd);
}

/* ---- hooks ---- */

typedef struct {
    pid_t pid; /* and process group */
    int output;
    bool pausing;
} Hook;

/* Between fork and exec. */
G_NORETURN static void hook_exec(const Guard *guard, const Hook *hook, const char *command, int out)
{
    static const int defaults[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD };
    char *const argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)command, NULL };
    sigset_t none;

    (void)setpgid(0, 0);
    // a guard that was killed can end no pause hook any more; a resume hook is better finished
    if (hook->pausing && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(EXIT_NOT_RUN);
    if (dup2(guard->null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        _exit(EXIT_NOT_RUN);
    if (guard->given->oom_score_adj)
        set_score(guard->given->oom_score_adj);
    for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++)
        (void)signal(defaults[i], SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execve(argv[0], argv, guard->given->environment);
    _exit(EXIT_NOT_RUN);
}

static bool hook_start(const Guard *guard, const char *command, Hook *hook)
{
    int output[2];

    if (pipe2(output, O_CLOEXEC) < 0)
        return false;
    hook->pid = _Fork();
    if (hook->pid == 0)
        hook_exec(guard, hook, command, output[1]);
    (void)close(output[1]);
    hook->output = output[0];
    if (hook->pid > 0) {
        (void)setpgid(hook->pid, hook->pid); // whoever of the two is first
        return true;
    }
    (void)close(output[0]);
    return false;
}

/* What has no room, or nobody to read it, is dropped: a hook never waits for it. */
static void relay(const Guard *guard, Hook *hook)
{
    char buf[4096];
    ssize_t n = read(hook->output, buf, sizeof buf);

    if (n > 0)
        (void)!write(guard->given->said, buf, (size_t)n);
    else if (n == 0 || errno != EINTR) {
        (void)close(hook->output);
        hook->output = -1;
    }
}

static void relay_rest(const Guard *guard, Hook *hook)
{
    for (int i = 0; i < REST_READS && hook->output >= 0; i++) {
        struct pollfd polled = { .fd = hook->output, .events = POLLIN };

        if (poll(&polled, 1, 0) <= 0)
            break; // what it left in the background may keep the pipe
        relay(guard, hook);
    }
    if (hook->output >= 0)
        (void)close(hook->output);
    hook->output = -1;
}

/* Not yet reaped, so that its group is still its own. ret_failed: not with 0. */
static bool has_ended(const Hook *hook, bool *ret_failed)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)hook->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return errno != EINTR;
    *ret_failed = info.si_code != CLD_EXITED || info.si_status != 0;
    return info.si_pid == hook->pid;
}

static void look_at_signals(Guard *guard)
{
    struct signalfd_siginfo info;

    while (read(guard->signals, &info, sizeof info) == (ssize_t)sizeof info)
        guard->told = guard->told || info.ssi_signo != SIGCHLD;
}

/* Waits a moment for anything. */
static bool is_asked(Guard *guard, Hook *hook, int64_t wait_ms)
{
    struct pollfd polled[] = { { .fd = guard->given->control, .events = POLLIN },
                               { .fd = guard->signals, .events = POLLIN },
                               { .fd = hook ? hook->output : -1, .events = POLLIN } };
    // while we resume nobody has anything more to ask
    bool resuming = hook && !hook->pausing;

    polled[0].fd = resuming ? -1 : polled[0].fd;
    if (poll(polled, G_N_ELEMENTS(polled), (int)wait_ms) <= 0)
        return false;
    look_at_signals(guard);
    if (hook && polled[2].revents)
        relay(guard, hook);
    return polled[0].revents != 0;
}

static HookEnd hook_follow(Guard *guard, Hook *hook, int64_t until_ms, bool *ret_failed)
{
    while (!has_ended(hook, ret_failed)) {
        int64_t left_ms = until_ms - now_ms();

        if (left_ms <= 0)
            return HOOK_OVER;
        if (is_asked(guard, hook, MIN(left_ms, ASK_MS)))
            return HOOK_ASKED;
        if (hook->pausing && guard->told)
            return HOOK_TOLD;
    }
    return HOOK_ENDED;
}

/* With all that it has started, so that nothing pauses after we have resumed. */
static void hook_kill(Guard *guard, Hook *hook)
{
    int64_t until_ms = now_ms() + TERM_MS;
    bool failed;

    (void)kill(-hook->pid, SIGTERM);
    while (!has_ended(hook, &failed) && now_ms() < until_ms) {
        struct pollfd polled = { .fd = guard->signals, .events = POLLIN };

        if (poll(&polled, 1, ASK_MS) > 0)
            look_at_signals(guard);
    }
    (void)kill(-hook->pid, SIGKILL);
}

/* ret_status: as a shell tells it, of HOOK_ENDED. */
static HookEnd hook_run(Guard *guard, const char *command, bool pausing, int64_t until_ms,
                        int *ret_status)
{
    Hook hook = { .output = -1, .pausing = pausing };
    HookEnd end;
    bool failed = false;
    int status = 0;

    *ret_status = GUARD_NOT_STARTED;
    if (!hook_start(guard, command, &hook))
        return HOOK_ENDED;
    end = hook_follow(guard, &hook, until_ms, &failed);
    if (end != HOOK_ENDED || (pausing && failed))
        hook_kill(guard, &hook);
    relay_rest(guard, &hook);
    while (waitpid(hook.pid, &status, 0) < 0 && errno == EINTR)
        ;
    *ret_status = WIFSIGNALED(status) ? SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
    return end;
}

/* ---- pause, and resume ---- */

static GuardReport pause_all(Guard *guard)
{
    static const GuardWhat what_of[] = { [HOOK_ENDED] = GUARD_HOOK_FAILED,
                                         [HOOK_OVER] = GUARD_HOOK_SLOW,
                                         [HOOK_ASKED] = GUARD_ASKED,
                                         [HOOK_TOLD] = GUARD_TOLD_TO_END };
    char *const *commands = guard->given->pause;

    for (unsigned i = 0; commands[i]; i++) {
        int status;
        HookEnd end = hook_run(guard, commands[i], true, guard->until_ms, &status);

        if (end != HOOK_ENDED || status != 0)
            return (GuardReport){ what_of[end], i + 1, status, 0, 0 };
    }
    return (GuardReport){ .what = GUARD_PAUSED };
}

static GuardWhat watch(Guard *guard)
{
    for (;;) {
        int64_t left_ms = guard->until_ms - now_ms();

        if (left_ms <= 0)
            return GUARD_TIME_OVER;
        if (is_asked(guard, NULL, MIN(left_ms, ASK_MS)))
            return GUARD_ASKED;
        if (guard->told)
            return GUARD_TOLD_TO_END;
    }
}

/* One that somebody else ended may have been ended with us, by whoever ends all that there is. */
static int resume_one(Guard *guard, const char *command)
{
    int status;

    for (int n = 1;; n++) {
        HookEnd end =
            hook_run(guard, command, false, now_ms() + guard->given->resume_limit_ms, &status);

        if (n == TRIES || end != HOOK_ENDED || (status >= 0 && status <= SIGNALED))
            return status;
        (void)poll(NULL, 0, ASK_MS);
    }
}

/* All of them, also when one fails. */
static void resume_all(Guard *guard, GuardReport *report)
{
    char *const *commands = guard->given->resume;

    for (unsigned i = 0; commands[i]; i++) {
        int status = resume_one(guard, commands[i]);

        if (status == 0 || report->resume_hook > 0)
            continue;
        report->resume_hook = i + 1;
        report->resume_status = status;
    }
}

/* ---- the process ---- */

/* What we were given besides would outlive our parent: locks, most of all. */
static void close_others(const PauseGuard *guard)
{
    for (int fd = 0; fd < FIRST_UNSEEN; fd++)
        if (fd != guard->control && fd != guard->reports && fd != guard->said)
            (void)close(fd);
    (void)close_range(FIRST_UNSEEN, ~0U, 0);
}

/* 0 to 2 stay taken, so that no pipe becomes one of them. */
static bool prepare(Guard *guard)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD };
    sigset_t awaited;

    (void)setsid(); // a terminal's ^C is for our parent, who asks when it has come to an end
    close_others(guard->given);
    do
        guard->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (guard->null >= 0 && guard->null < STDERR_FILENO);
    set_score(OWN_SCORE);
    sigemptyset(&awaited);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaddset(&awaited, signals[i]);
    (void)signal(SIGCHLD, SIG_DFL); // ignored, it would reap our hooks
    guard->signals = signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
    return guard->null >= 0 && guard->signals >= 0;
}

static void tell(const PauseGuard *guard, const GuardReport *report)
{
    // when nobody listens any more, nobody needs to know
    (void)!write(guard->reports, report, sizeof *report);
}

void pause_guard_main(const PauseGuard *given)
{
    Guard guard = { .given = given, .until_ms = now_ms() + given->limit_ms };
    GuardReport report;

    if (!prepare(&guard))
        _exit(1); // nothing is paused yet; the run finds us dead
    report = pause_all(&guard);
    if (report.what == GUARD_PAUSED) {
        tell(given, &report);
        report.what = watch(&guard);
    }
    resume_all(&guard, &report);
    tell(given, &report);
    _exit(0);
}
