/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/childlines.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_ (1024u * 1024)

static void take_lines(GString *lines, ChildLine take, void *user)
{
    const char *begin = lines->str, *end;

    while ((end = memchr(begin, '\n', lines->len - (size_t)(begin - lines->str)))) {
        take(begin, (size_t)(end - begin), user);
        begin = end + 1;
    }
    g_string_erase(lines, 0, begin - lines->str);
    if (lines->len > LINE_MAX_)
        g_string_truncate(lines, 0);
}

/* False: the time is over. */
static bool read_all(int fd, int64_t until, ChildLine take, void *user)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    char data[65536];

    for (;;) {
        struct pollfd waits = { .fd = fd, .events = POLLIN };
        const int64_t left = until - clock_monotonic_ms();
        ssize_t n;

        if (left <= 0)
            return false;
        if (poll(&waits, 1, (int)left) <= 0)
            continue;
        n = read(fd, data, sizeof data);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            break;
        g_string_append_len(lines, data, n);
        take_lines(lines, take, user);
    }
    g_string_append_c(lines, '\n');
    take_lines(lines, take, user);
    return true;
}

bool child_lines(const char *const *argv, const char *const *envp, int timeout_ms, ChildLine take,
                 void *user, int *ret_status, GError **error)
{
    const int64_t until = clock_monotonic_ms() + timeout_ms;
    g_autoptr(Child) child = child_spawn(argv, envp, CHILD_STDOUT_PIPE, error);
    g_autoptr(GString) said = NULL;
    g_autoptr(GError) failure = NULL;
    int status = 1;

    if (!child)
        return false;
    if (!read_all(child_stdout(child), until, take, user)) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "it took longer than %d s",
                    timeout_ms / 1000);
        return false;
    }
    (void)child_wait(child, NULL, &status, &failure); // the status says it
    said = g_string_new(child_stderr(child));
    g_string_append_c(said, '\n');
    take_lines(said, take, user);
    *ret_status = status;
    return true;
}
