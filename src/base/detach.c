/* SPDX-License-Identifier: Apache-2.0 */
#include "base/detach.h"

#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define GO_FD 3

static bool leave_everything(int go)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    if (null < 0 || (go != GO_FD && dup2(go, GO_FD) < 0))
        return false;
    for (int fd = 0; fd < GO_FD; fd++)
        if (dup2(null, fd) < 0)
            return false;
    if (close_range(GO_FD + 1, ~0u, 0) < 0)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        (void)signal(signals[i], SIG_DFL);
    (void)sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static void wait_and_work(int go, void (*work)(void *user), void *user)
{
    char byte;
    ssize_t got;

    if (!leave_everything(go))
        return;
    do
        got = read(GO_FD, &byte, 1);
    while (got < 0 && errno == EINTR);
    (void)close(GO_FD);
    if (got == 1)
        work(user);
}

bool detach_fork(void (*work)(void *user), void *user, int *ret_go)
{
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid = fork();
    if (pid == 0) {
        // the child of a session's leader is nobody's to wait for, and gets no terminal
        if (setsid() >= 0 && fork() == 0) {
            (void)close(ends[1]);
            wait_and_work(ends[0], work, user);
        }
        _exit(0);
    }
    (void)close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0)
        *ret_go = ends[1];
    else
        (void)close(ends[1]);
    return pid > 0;
}

void detach_go(int *go)
{
    // nobody may be there any more: then nobody goes
    if (*go >= 0)
        (void)!write(*go, "g", 1);
    fs_clear_fd(go);
}
