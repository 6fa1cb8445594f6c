/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumefreeze.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNTS_MAX 16u

/* What the guard tells: one when it has frozen (or not), one when it has thawed. */
typedef struct {
    enum { FROZEN = 1, REFUSED, ASKED, TIME_OVER, TOLD_TO_END } what;
    int errnum; /* REFUSED: why; later: of the thaw, 0 when it had held until then */
    unsigned mount;
} Report;

struct VolumeFreeze {
    GStrv mounts;
    int fds[MOUNTS_MAX];
    unsigned n;
    pid_t guard; /* 0: reaped */
    int control; /* closed: thaw */
    int reports;
    int64_t began_ms, limit_ms;
    bool frozen;
};

/* ---- the guard: after fork() in a process with threads, so only what is async-signal-safe ---- */

typedef struct {
    int control, reports;
    const int *fds;
    unsigned n;
    int limit_ms;
} Guard;

static int thaw_all(const Guard *guard, unsigned n)
{
    int errnum = 0;

    while (n-- > 0)
        if (ioctl(guard->fds[n], FITHAW, 0) < 0)
            errnum = errno;
    return errnum;
}

static void tell(const Guard *guard, Report report)
{
    // when nobody listens any more, nobody needs to know
    (void)!write(guard->reports, &report, sizeof report);
}

/* Until it is time to thaw. */
static int watch(const Guard *guard, int signals)
{
    struct pollfd polled[] = { { .fd = guard->control, .events = POLLIN },
                               { .fd = signals, .events = POLLIN } };
    int n;

    do
        n = poll(polled, G_N_ELEMENTS(polled), guard->limit_ms);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return TIME_OVER;
    return polled[0].revents ? ASKED : TOLD_TO_END;
}

/* Memory may be short just because everybody waits for the frozen file system. */
static void stay_alive(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    (void)!write(fd, "-1000", 5);
    (void)close(fd);
}

/* What we were given besides would outlive our parent: locks, most of all. */
static void close_others(const Guard *guard)
{
    for (int fd = 0; fd < 4096; fd++) {
        bool keep = fd == guard->control || fd == guard->reports;

        for (unsigned i = 0; i < guard->n; i++)
            keep = keep || fd == guard->fds[i];
        if (!keep)
            (void)close(fd);
    }
    (void)close_range(4096, ~0U, 0);
}

_Noreturn static void guard_main(const Guard *guard)
{
    sigset_t ends;
    int signals, what, errnum;

    (void)setsid(); // a terminal's ^C is for our parent, who asks when it has come to an end
    close_others(guard);
    stay_alive();
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigaddset(&ends, SIGQUIT);
    signals = signalfd(-1, &ends, SFD_CLOEXEC);
    for (unsigned i = 0; i < guard->n; i++)
        if (ioctl(guard->fds[i], FIFREEZE, 0) < 0) {
            errnum = errno;
            (void)thaw_all(guard, i);
            tell(guard, (Report){ REFUSED, errnum, i });
            _exit(1);
        }
    tell(guard, (Report){ .what = FROZEN });
    what = watch(guard, signals);
    errnum = thaw_all(guard, guard->n);
    tell(guard, (Report){ .what = (unsigned)what, .errnum = errnum });
    _exit(0);
}

/* Signals wait from before the fork, so none ends the guard before it has thawed. */
static bool start_guard(VolumeFreeze *freeze, GError **error)
{
    int control[2], reports[2] = { -1, -1 };
    sigset_t all, before;
    Guard guard = { .fds = freeze->fds, .n = freeze->n, .limit_ms = (int)freeze->limit_ms };

    if (pipe2(control, O_CLOEXEC) < 0) {
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    freeze->control = control[1];
    if (pipe2(reports, O_CLOEXEC) < 0) {
        bs_error_errno(error, errno, "pipe");
        (void)close(control[0]);
        return false;
    }
    freeze->reports = reports[0];
    guard.control = control[0];
    guard.reports = reports[1];
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    freeze->guard = fork();
    if (freeze->guard == 0)
        guard_main(&guard);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(control[0]);
    (void)close(reports[1]);
    if (freeze->guard > 0)
        return true;
    bs_error_errno(error, errno, "fork");
    freeze->guard = 0;
    return false;
}

/* ---- our side ---- */

typedef enum { REPORT_NONE, REPORT_COME, REPORT_GONE } Reported;

/* REPORT_GONE: the guard has died without one. */
static Reported wait_report(const VolumeFreeze *freeze, int64_t wait_ms, Report *ret_report)
{
    struct pollfd polled = { .fd = freeze->reports, .events = POLLIN };
    ssize_t n;

    do
        n = poll(&polled, 1, (int)wait_ms);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return REPORT_NONE;
    do
        n = read(freeze->reports, ret_report, sizeof *ret_report);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *ret_report ? REPORT_COME : REPORT_GONE;
}

static void refused(const VolumeFreeze *freeze, const Report *report, GError **error)
{
    const char *mount = freeze->mounts[report->mount];

    if (report->errnum == EOPNOTSUPP || report->errnum == ENOTTY)
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: this file system cannot be frozen",
                    mount);
    else if (report->errnum == EBUSY)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "%s: it is frozen already, by somebody else; `fsfreeze --unfreeze %s` thaws it",
                    mount, mount);
    else
        bs_error_errno(error, report->errnum, "%s: freeze", mount);
}

static bool await_frozen(VolumeFreeze *freeze, GError **error)
{
    Report report = { 0 };

    switch (wait_report(freeze, freeze->limit_ms, &report)) {
    case REPORT_NONE:
        // the guard finds us gone, and thaws, as soon as the kernel lets it
        freeze->guard = 0;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s: could not be frozen within %" G_GINT64_FORMAT " s: writers do not end",
                    freeze->mounts[0], freeze->limit_ms / 1000);
        return false;
    case REPORT_GONE:
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: what was to freeze it has died",
                    freeze->mounts[0]);
        return false;
    case REPORT_COME:
        break;
    }
    freeze->frozen = report.what == FROZEN;
    if (!freeze->frozen)
        refused(freeze, &report, error);
    return freeze->frozen;
}

static bool open_mounts(VolumeFreeze *freeze, GError **error)
{
    for (; freeze->mounts[freeze->n]; freeze->n++) {
        const char *mount = freeze->mounts[freeze->n];

        if (freeze->n == MOUNTS_MAX) {
            g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                        "more than %u file systems to freeze at once", MOUNTS_MAX);
            return false;
        }
        freeze->fds[freeze->n] = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (freeze->fds[freeze->n] < 0) {
            bs_error_errno(error, errno, "open %s", mount);
            return false;
        }
        (void)syncfs(freeze->fds[freeze->n]); // what is written now need not be while all wait
    }
    return true;
}

VolumeFreeze *volume_freeze_begin(char *const *mounts, int64_t limit_ms, GError **error)
{
    g_autoptr(VolumeFreeze) freeze = g_new0(VolumeFreeze, 1);

    freeze->mounts = g_strdupv((GStrv)mounts);
    freeze->control = freeze->reports = -1;
    freeze->limit_ms = MIN(limit_ms, G_MAXINT);
    freeze->began_ms = clock_monotonic_ms();
    return open_mounts(freeze, error) && start_guard(freeze, error) && await_frozen(freeze, error)
               ? g_steal_pointer(&freeze)
               : NULL;
}

/* The guard is dead, and what it froze is not thawed unless we do it. */
static void thaw_ourselves(VolumeFreeze *freeze)
{
    for (unsigned i = 0; i < freeze->n; i++)
        (void)ioctl(freeze->fds[i], FITHAW, 0);
}

static void tell_why(const VolumeFreeze *freeze, Reported reported, const Report *report,
                     GError **error)
{
    const char *mount = freeze->mounts[0];

    if (reported == REPORT_GONE)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: what kept it frozen has died", mount);
    else if (report->what == TIME_OVER)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s was thawed after %" G_GINT64_FORMAT
                    " s, before all was read; allow more (--freeze-limit), or read a snapshot of "
                    "the volume",
                    mount, freeze->limit_ms / 1000);
    else if (report->errnum == EINVAL)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s was thawed by somebody else before all was read", mount);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s was thawed before all was read, because its guard was told to end", mount);
}

/* What the guard says in the end; waits for it. */
static bool settle(VolumeFreeze *freeze, Reported reported, const Report *report, GError **error)
{
    bool held = reported == REPORT_COME && report->what == ASKED && report->errnum == 0;

    freeze->frozen = false;
    if (reported != REPORT_COME || (report->errnum != 0 && report->errnum != EINVAL))
        thaw_ourselves(freeze);
    if (!held)
        tell_why(freeze, reported, report, error);
    return held;
}

bool volume_freeze_holds(VolumeFreeze *freeze, GError **error)
{
    Report report = { 0 };
    Reported reported = wait_report(freeze, 0, &report);

    return reported == REPORT_NONE || settle(freeze, reported, &report, error);
}

bool volume_freeze_end(VolumeFreeze *freeze, int64_t *ret_ms, GError **error)
{
    Report report = { 0 };
    Reported reported;

    fs_clear_fd(&freeze->control);
    reported = wait_report(freeze, -1, &report);
    *ret_ms = clock_monotonic_ms() - freeze->began_ms;
    return settle(freeze, reported, &report, error);
}

void volume_freeze_free(VolumeFreeze *freeze)
{
    int64_t ms;

    if (!freeze)
        return;
    if (freeze->frozen)
        (void)volume_freeze_end(freeze, &ms, NULL);
    fs_clear_fd(&freeze->control);
    fs_clear_fd(&freeze->reports);
    for (unsigned i = 0; i < freeze->n; i++)
        fs_clear_fd(&freeze->fds[i]);
    if (freeze->guard > 0)
        while (waitpid(freeze->guard, NULL, 0) < 0 && errno == EINTR)
            ;
    g_strfreev(freeze->mounts);
    g_free(freeze);
}
