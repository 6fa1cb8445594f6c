/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/childtail.h"
#include "base/error.h"
#include "base/fs.h"

#define TERM_WAIT_MS  2000
#define TERM_STEP_MS  10
#define WAIT_MS       100 /* that cancel is asked again after */
#define EXIT_NOT_RUN  127 /* as a shell says it */
#define EXIT_SIGNALED 128 /* plus the signal, as a shell says it */

struct Child {
    char *name;
    pid_t pid;  /* 0: never started, or reaped */
    bool group; /* it leads a group of its own */
    int status; /* of waitpid, once reaped */
    int in;     /* our ends of its pipes */
    int out;
    ChildTail tail;
    char *text; /* what child_stderr() gave */
};

/* What the new process needs; everything is prepared before fork. */
typedef struct {
    const char *program;
    const char *const *argv;
    const char *const *envp;
    int fds[3];         /* become 0, 1 and 2; -1 stays */
    bool group, joined; /* leads a group; 2 is where 1 goes */
    int report;         /* takes an errno when the program cannot be run */
    pid_t parent;
} Start;

/* ---- start ---- */

/* Runs between fork and exec: async-signal-safe calls only (signal-safety(7)). */
static G_NORETURN void start_run(const Start *start)
{
    static const int defaults[] = { SIGHUP, SIGINT, SIGPIPE, SIGTERM };
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;
    int failure;

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        goto fail;
    if (getppid() != start->parent)
        _exit(EXIT_NOT_RUN); // it died before we asked to be told
    for (int i = 0; i < 3; i++)
        if (start->fds[i] >= 0 && dup2(start->fds[i], i) < 0)
            goto fail;
    if (start->joined && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        goto fail;
    if (start->group && setpgid(0, 0) != 0)
        goto fail;
    for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++)
        (void)sigaction(defaults[i], &action, NULL);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); // ours are marked already; libraries forget
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execve(start->program, (char *const *)start->argv, (char *const *)start->envp);
fail:
    failure = errno;
    (void)!write(start->report, &failure, sizeof failure);
    _exit(EXIT_NOT_RUN);
}

/* Moves a descriptor out of the way of 0, 1 and 2, should our own be closed. */
static bool move_above_stdio(int *fd)
{
    int moved;

    if (*fd > STDERR_FILENO)
        return true;
    moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0)
        return false;
    (void)close(*fd);
    *fd = moved;
    return true;
}

/* A pipe: one end for us, one for the child. child_reads: the child has the reading end. */
static bool make_pipe(int *ret_ours, int *ret_childs, bool child_reads, GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    *ret_ours = fds[child_reads];
    *ret_childs = fds[!child_reads];
    if (!move_above_stdio(ret_childs)) {
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    return true;
}

static bool open_null(int *ret_fd, GError **error)
{
    *ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (*ret_fd >= 0 && move_above_stdio(ret_fd))
        return true;
    bs_error_errno(error, errno, "open /dev/null");
    return false;
}

static bool make_stdio(Child *child, Start *start, unsigned flags, GError **error)
{
    if (!(flags & CHILD_STDIN_PIPE ? make_pipe(&child->in, &start->fds[0], true, error)
                                   : open_null(&start->fds[0], error)))
        return false;
    if (!(flags & CHILD_STDOUT_PIPE ? make_pipe(&child->out, &start->fds[1], false, error)
                                    : open_null(&start->fds[1], error)))
        return false;
    if (child->in >= 0 && fcntl(child->in, F_SETFL, O_NONBLOCK) != 0) { // our end alone
        bs_error_errno(error, errno, "pipe");
        return false;
    }
    if (flags & (CHILD_STDERR_INHERIT | CHILD_STDERR_TO_STDOUT))
        return true;
    return make_pipe(&child->tail.fd, &start->fds[2], false, error) &&
           child_tail_start(&child->tail, error);
}

/* Forks with every signal blocked, so that no handler of ours runs in the child. */
static bool fork_and_run(Child *child, Start *start, GError **error)
{
    fs_autoclose int report = -1;
    sigset_t all, before;
    int failure = 0;
    size_t len = 0;

    if (!make_pipe(&report, &start->report, false, error))
        return false;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    child->pid = fork();
    if (child->pid == 0)
        start_run(start);
    failure = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child->pid < 0) {
        child->pid = 0;
        bs_error_errno(error, failure, "fork");
        return false;
    }
    fs_clear_fd(&start->report); // the pipe ends when the program runs
    if (!fs_read_full(report, &failure, sizeof failure, &len, child->name, error))
        return false;
    if (len == sizeof failure) {
        bs_error_errno(error, failure, "run %s", child->name);
        return false;
    }
    return true;
}

Child *child_spawn(const char *const *argv, const char *const *envp, unsigned flags, GError **error)
{
    g_autoptr(Child) child = NULL;
    g_autofree char *program = g_find_program_in_path(argv[0]);
    Start start = {
        .program = program,
        .argv = argv,
        .envp = envp ? envp : (const char *const *)environ,
        .fds = { -1, -1, -1 },
        .group = flags & CHILD_OWN_GROUP,
        .joined = flags & CHILD_STDERR_TO_STDOUT,
        .report = -1,
        .parent = getpid(),
    };
    bool ok;

    if (!program) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "%s: not found in PATH; install the package that provides it", argv[0]);
        return NULL;
    }
    child = g_new0(Child, 1);
    child->name = g_strdup(argv[0]);
    child->group = start.group;
    child->in = -1;
    child->out = -1;
    child_tail_init(&child->tail);
    ok = make_stdio(child, &start, flags, error) && fork_and_run(child, &start, error);
    for (int i = 0; i < 3; i++)
        fs_clear_fd(&start.fds[i]);
    fs_clear_fd(&start.report);
    return ok ? g_steal_pointer(&child) : NULL;
}

/* ---- life and end ---- */

int child_stdin(const Child *child)
{
    return child->in;
}

int child_stdout(const Child *child)
{
    return child->out;
}

void child_close_stdin(Child *child)
{
    fs_clear_fd(&child->in);
}

const char *child_stderr(Child *child)
{
    g_free(child->text);
    child->text = child_tail_text(&child->tail);
    return child->text;
}

bool child_write(Child *child, const Cancel *cancel, const void *data, size_t len, bool *ret_deaf,
                 GError **error)
{
    const uint8_t *bytes = data;

    for (*ret_deaf = child->in < 0; !*ret_deaf && len > 0;) {
        struct pollfd room = { .fd = child->in, .events = POLLOUT };
        ssize_t n = write(child->in, bytes, len);

        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EPIPE) {
            *ret_deaf = true;
        } else if (errno != EAGAIN && errno != EINTR) {
            bs_error_errno(error, errno, "write to %s", child->name);
            return false;
        } else {
            if (!cancel_check(cancel, error))
                return false;
            (void)poll(&room, 1, WAIT_MS);
        }
    }
    return true;
}

typedef enum { REAPED, RUNS, NOT_OURS } Reaping;

/* options as for waitpid(2). */
static Reaping reap(Child *child, int options)
{
    pid_t pid;

    if (child->pid == 0)
        return REAPED;
    do
        pid = waitpid(child->pid, &child->status, options);
    while (pid < 0 && errno == EINTR);
    if (pid != child->pid)
        return pid == 0 ? RUNS : NOT_OURS;
    child->pid = 0;
    return REAPED;
}

/* Asks again and again: a signal may come to another thread and leave waitpid(2) waiting. */
static bool await(Child *child, const Cancel *cancel, GError **error)
{
    struct timespec pause = { .tv_nsec = 1000000L };
    Reaping reaping;

    while ((reaping = reap(child, cancel ? WNOHANG : 0)) == RUNS) {
        if (!cancel_check(cancel, error))
            return false;
        (void)nanosleep(&pause, NULL);
        pause.tv_nsec = MIN(2 * pause.tv_nsec, WAIT_MS * 1000000L);
    }
    if (reaping == REAPED)
        return true;
    bs_error_errno(error, errno, "wait for %s", child->name);
    return false;
}

bool child_wait(Child *child, const Cancel *cancel, int *ret_status, GError **error)
{
    g_autofree char *how = NULL;
    const char *said = NULL;
    int status;

    child_close_stdin(child);
    if (!await(child, cancel, error))
        return false;
    child_tail_stop(&child->tail);
    if (WIFSIGNALED(child->status)) {
        status = EXIT_SIGNALED + WTERMSIG(child->status);
        how = g_strdup_printf("killed by signal %d (%s)", WTERMSIG(child->status),
                              g_strsignal(WTERMSIG(child->status)));
    } else {
        status = WEXITSTATUS(child->status);
        how = g_strdup_printf("exit status %d", status);
    }
    if (ret_status)
        *ret_status = status;
    if (status == 0)
        return true;
    said = child_stderr(child);
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: %s%s%s", child->name, how, *said ? ": " : "",
                said);
    return false;
}

void child_terminate(Child *child)
{
    if (reap(child, WNOHANG) == RUNS)
        (void)kill(child->group ? -child->pid : child->pid,
                   SIGTERM); // it is ours until it is reaped
}

static void end_running(Child *child)
{
    const struct timespec step = { .tv_nsec = TERM_STEP_MS * 1000000L };
    const pid_t whom = child->group ? -child->pid : child->pid;
    Reaping reaping = RUNS;

    (void)kill(whom, SIGTERM);
    for (int waited_ms = 0; reaping == RUNS && waited_ms < TERM_WAIT_MS;
         waited_ms += TERM_STEP_MS) {
        (void)nanosleep(&step, NULL);
        reaping = reap(child, WNOHANG);
    }
    // of a group some may be left when its leader is gone
    if (reaping == RUNS || child->group)
        (void)kill(whom, SIGKILL);
    if (reaping == RUNS)
        (void)reap(child, 0);
}

void child_free(Child *child)
{
    if (!child)
        return;
    fs_clear_fd(&child->in);
    fs_clear_fd(&child->out);
    if (reap(child, WNOHANG) == RUNS)
        end_running(child);
    child_tail_done(&child->tail);
    g_free(child->text);
    g_free(child->name);
    g_free(child);
}

bool child_output(const char *const *argv, const char *const *envp, size_t bound,
                  GBytes **ret_output, GError **error)
{
    g_autoptr(Child) child = child_spawn(argv, envp, CHILD_STDOUT_PIPE, error);
    g_autofree uint8_t *output = NULL;
    size_t len = 0;

    if (!child)
        return false;
    g_assert(bound < SIZE_MAX);
    output = g_try_malloc(bound + 1);
    if (!output) {
        bs_error_errno(error, ENOMEM, "read %s", argv[0]);
        return false;
    }
    if (!fs_read_full(child_stdout(child), output, bound + 1, &len, argv[0], error))
        return false;
    if (len > bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: gives more than %zu bytes", argv[0],
                    bound);
        return false;
    }
    if (!child_wait(child, NULL, NULL, error))
        return false;
    *ret_output = g_bytes_new_take(g_realloc(g_steal_pointer(&output), MAX(len, 1)), len);
    return true;
}
