/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a run: a child in a session of its own, or a unit of systemd. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "daemon/process.h"
#include "daemon/rundir.h"
#include "daemon/running.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- starting ---- */

static bool start_child(Running *run, GError **error)
{
    g_autofree char *spec = g_build_filename(run->dir, "spec.json", NULL);
    g_autofree char *events = g_build_filename(run->dir, EVENTS_NAME, NULL);
    const char *const command = running_is_task(run) ? "task" : "run";
    const char *const argv[] = {
        run->runs->world.program, command, "--spec", spec, "--events", events, NULL
    };
    fs_autoclose int output = run_dir_output(run->dir, error);
    const ProcessStart start = { .argv = argv, .dir = "/", .output = output };

    return output >= 0 && process_start(&start, &run->child, error);
}

/* systemd.socket(5), Accept=yes: each connection is a unit. Nothing here waits for it. */
static bool start_unit(Running *run, GError **error)
{
    const char *path = run->runs->world.socket;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autofree char *line = g_strconcat(run->row.id, "\n", NULL);
    const ssize_t len = (ssize_t)strlen(line);

    fs_clear_fd(&run->unit);
    errno = ENAMETOOLONG;
    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) < sizeof address.sun_path)
        run->unit = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (run->unit >= 0 &&
        connect(run->unit, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(run->unit, line, (size_t)len, MSG_NOSIGNAL) == len)
        return true;
    bs_error_errno(error, errno, "asking for a unit at %s; `systemctl status backstay-run.socket`",
                   path);
    return false;
}

bool running_start(Running *run, GError **error)
{
    run->begin_by = clock_monotonic_ms() + BEGIN_MS;
    return run->runs->world.socket ? start_unit(run, error) : start_child(run, error);
}

/* ---- its end ---- */

static char *text_of_end(const Running *run, int status)
{
    g_autofree char *line = run_dir_last_line(run->dir);

    if (WIFSIGNALED(status))
        return g_strdup_printf("the process was killed by signal %d (%s)", WTERMSIG(status),
                               g_strsignal(WTERMSIG(status)));
    return line ? g_steal_pointer(&line)
                : g_strdup_printf("ended with exit status %d", WEXITSTATUS(status));
}

void running_reaped(Running *run, int status)
{
    g_autofree char *text = text_of_end(run, status);

    running_gone(run, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text);
}

bool running_is_own(const Running *run)
{
    return !run->by_hand && !run->runs->world.socket;
}

/* ---- asking it to end ---- */

bool running_may_signal(const Running *run)
{
    return run->life.pid == 0 || process_signal(run->life.pid, run->life.start_time, 0) ||
           errno != EPERM;
}

void running_signal(Running *run, int sig)
{
    if (run->life.pid > 0)
        (void)process_signal(run->life.pid, run->life.start_time, sig);
    else if (run->child > 0)
        (void)process_signal(run->child, 0, sig);
}

void running_end(Running *run, const char *why)
{
    if (run->kill_at > 0)
        return;
    run->why = g_strdup(why);
    run->kill_at = clock_monotonic_ms() + KILL_MS;
    running_signal(run, SIGTERM);
}
