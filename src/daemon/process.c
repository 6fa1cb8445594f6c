/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define TELL_FD 3

/* ---- starting ---- */

static void default_signals(void)
{
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL); // not all can be set
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool leave(const ProcessStart *start, int tell, pid_t parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    // none of them may be where another is to go
    int high_tell = fcntl(tell, F_DUPFD_CLOEXEC, TELL_FD + 1);
    int high_output = fcntl(start->output, F_DUPFD_CLOEXEC, TELL_FD + 1);

    if (null < 0 || high_tell < 0 || high_output < 0 || setsid() < 0)
        return false;
    if (start->dies_with_us && (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent))
        return false;
    return dup2(null, 0) == 0 && dup2(high_output, 1) == 1 && dup2(high_output, 2) == 2 &&
           dup3(high_tell, TELL_FD, O_CLOEXEC) == TELL_FD &&
           close_range(TELL_FD + 1, ~0u, 0) == 0 && (!start->dir || chdir(start->dir) == 0);
}

static void become(const ProcessStart *start, int tell, pid_t parent)
{
    int failure;

    default_signals();
    if (leave(start, tell, parent)) {
        tell = TELL_FD;
        (void)execv(start->argv[0], (char *const *)start->argv);
    }
    failure = errno;
    (void)!write(tell, &failure, sizeof failure);
    _exit(127);
}

bool process_start(const ProcessStart *start, pid_t *ret_pid, GError **error)
{
    fs_autoclose int in = -1, out = -1;
    const pid_t parent = getpid();
    int ends[2], failure = 0;
    size_t got = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    in = ends[0];
    out = ends[1];
    pid = fork();
    if (pid == 0)
        become(start, out, parent);
    if (pid < 0) {
        bs_error_errno(error, errno, "fork");
        return false;
    }
    fs_clear_fd(&out);
    // the pipe is closed by the program's start
    if (fs_read_full(in, &failure, sizeof failure, &got, "pipe", NULL) && got == 0) {
        *ret_pid = pid;
        return true;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    bs_error_errno(error, failure, "starting %s", start->argv[0]);
    return false;
}

/* ---- finding again ---- */

uint64_t process_start_time(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *after;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    // the name in parentheses may hold anything: proc(5), /proc/[pid]/stat
    after = strrchr(text, ')');
    if (!after || after[1] != ' ')
        return 0;
    fields = g_strsplit(after + 2, " ", 21);
    return g_strv_length(fields) > 19 ? g_ascii_strtoull(fields[19], NULL, 10) : 0;
}

bool process_signal(pid_t pid, uint64_t start_time, int sig)
{
    // once it is open the number stays this process's
    fs_autoclose int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (fd < 0)
        return false;
    if (start_time > 0 && process_start_time(pid) != start_time) {
        errno = ESRCH;
        return false;
    }
    return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) == 0;
}
