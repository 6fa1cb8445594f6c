/* SPDX-License-Identifier: Apache-2.0 */
#include "base/childtail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define PIPE_LEN 65536 /* what a pipe holds; pipe(7) */

static void tail_keep(ChildTail *tail, const char *data, size_t len)
{
    pthread_mutex_lock(&tail->lock);
    for (size_t i = 0; i < len; i++)
        tail->ring[tail->total++ % CHILD_TAIL_LEN] = data[i];
    pthread_mutex_unlock(&tail->lock);
}

/* Reads what the pipe holds, and no longer: a grandchild may write for ever. False: there will be
 * no more. */
static bool tail_read(ChildTail *tail)
{
    char buf[4096];

    for (size_t done = 0; done < PIPE_LEN;) {
        ssize_t n = read(tail->fd, buf, sizeof buf);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        tail_keep(tail, buf, (size_t)n);
        done += (size_t)n;
    }
    return true;
}

static void *tail_run(void *data)
{
    ChildTail *tail = data;
    struct pollfd polled[] = { { .fd = tail->fd, .events = POLLIN },
                               { .fd = tail->stop, .events = POLLIN } };

    do
        (void)poll(polled, G_N_ELEMENTS(polled), -1);
    while (tail_read(tail) && !polled[1].revents);
    return NULL;
}

void child_tail_init(ChildTail *tail)
{
    tail->fd = -1;
    tail->stop = -1;
    pthread_mutex_init(&tail->lock, NULL);
}

bool child_tail_start(ChildTail *tail, GError **error)
{
    int failure;

    tail->stop = eventfd(0, EFD_CLOEXEC);
    if (tail->stop < 0 || fcntl(tail->fd, F_SETFL, O_NONBLOCK) != 0) {
        bs_error_errno(error, errno, "eventfd");
        return false;
    }
    failure = pthread_create(&tail->thread, NULL, tail_run, tail);
    if (failure != 0) {
        bs_error_errno(error, failure, "pthread_create");
        return false;
    }
    tail->running = true;
    return true;
}

void child_tail_stop(ChildTail *tail)
{
    if (!tail->running)
        return;
    (void)eventfd_write(tail->stop, 1);
    pthread_join(tail->thread, NULL);
    tail->running = false;
}

void child_tail_done(ChildTail *tail)
{
    child_tail_stop(tail);
    fs_clear_fd(&tail->fd);
    fs_clear_fd(&tail->stop);
    pthread_mutex_destroy(&tail->lock);
}

char *child_tail_text(ChildTail *tail)
{
    g_autoptr(GString) raw = g_string_sized_new(CHILD_TAIL_LEN);
    const char *newline = NULL;
    bool cut;

    pthread_mutex_lock(&tail->lock);
    cut = tail->total > CHILD_TAIL_LEN;
    for (uint64_t i = cut ? tail->total - CHILD_TAIL_LEN : 0; i < tail->total; i++)
        g_string_append_c(raw, tail->ring[i % CHILD_TAIL_LEN]);
    pthread_mutex_unlock(&tail->lock);
    // begin with a whole line
    newline = cut ? memchr(raw->str, '\n', raw->len) : NULL;
    if (newline && newline[1])
        g_string_erase(raw, 0, newline + 1 - raw->str);
    return g_strchomp(g_utf8_make_valid(raw->str, (gssize)raw->len));
}
