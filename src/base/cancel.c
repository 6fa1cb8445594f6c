/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define POLL_MS          500 /* a signal between asking and waiting is noticed after this */
#define NAP_MS           100 /* of a sleep: a signal wakes one thread, not the one that sleeps */
#define WRITE_LEN        (64u * 1024) /* what a pipe holds; with PIPE_BUF a dump takes 15 % more CPU */
#define EXIT_INTERRUPTED 130          /* 128 + SIGINT, as shells and restic do */

struct Cancel {
    atomic_bool set;
    _Atomic int64_t set_at_ms; // CLOCK_MONOTONIC, of the first time
};

/* A handler gets no argument, so what it sets has to stand here. */
static _Atomic(Cancel *) on_signal;
static atomic_flag interrupted = ATOMIC_FLAG_INIT;

Cancel *cancel_new(void)
{
    return g_new0(Cancel, 1);
}

void cancel_free(Cancel *cancel)
{
    Cancel *registered = cancel;

    if (!cancel)
        return;
    (void)atomic_compare_exchange_strong(&on_signal, &registered, NULL);
    g_free(cancel);
}

/* base/clock.h takes a lock, and a signal handler must not. */
static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void cancel_set(Cancel *cancel)
{
    int64_t never = 0;

    (void)atomic_compare_exchange_strong(&cancel->set_at_ms, &never, now_ms());
    atomic_store(&cancel->set, true);
}

bool cancel_is_set(const Cancel *cancel)
{
    return cancel && atomic_load(&cancel->set);
}

int64_t cancel_age_ms(const Cancel *cancel)
{
    return cancel_is_set(cancel) ? now_ms() - atomic_load(&cancel->set_at_ms) : 0;
}

bool cancel_check(const Cancel *cancel, GError **error)
{
    if (!cancel_is_set(cancel))
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    return false;
}

ssize_t cancel_read(const Cancel *cancel, int fd, void *buf, size_t len, GError **error)
{
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        ssize_t n;
        int ready;

        if (!cancel_check(cancel, error))
            return -1;
        ready = poll(&wait, 1, POLL_MS);
        // read() would wait for data after a signal that has only interrupted poll()
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        n = read(fd, buf, len);
        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN) {
            bs_error_errno(error, errno, "read from a pipe");
            return -1;
        }
    }
}

ssize_t cancel_write(const Cancel *cancel, int fd, const void *buf, size_t len)
{
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLOUT };
        ssize_t n;
        int ready;

        if (cancel_is_set(cancel)) {
            errno = ECANCELED;
            return -1;
        }
        ready = poll(&wait, 1, POLL_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        n = write(fd, buf, MIN(len, WRITE_LEN));
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n;
    }
}

bool cancel_sleep(const Cancel *cancel, int64_t ms, GError **error)
{
    for (; ms > 0; ms -= NAP_MS) {
        if (!cancel_check(cancel, error))
            return false;
        clock_sleep_ms(MIN(ms, NAP_MS));
    }
    return cancel_check(cancel, error);
}

static void handle_signal(int signum)
{
    Cancel *cancel = atomic_load(&on_signal);

    if (signum == SIGINT && atomic_flag_test_and_set(&interrupted))
        _exit(EXIT_INTERRUPTED);
    if (cancel)
        cancel_set(cancel);
}

void cancel_on_signals(Cancel *cancel)
{
    // no SA_RESTART: whoever waits in a system call gets EINTR and can ask
    struct sigaction stop = { .sa_handler = handle_signal };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction standard = { .sa_handler = SIG_DFL };

    atomic_store(&on_signal, cancel);
    (void)sigemptyset(&stop.sa_mask);
    (void)sigemptyset(&ignore.sa_mask);
    (void)sigemptyset(&standard.sa_mask);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    // whoever started us may ignore it, and then nobody learns how a child ended; waitpid(2)
    (void)sigaction(SIGCHLD, &standard, NULL);
}
