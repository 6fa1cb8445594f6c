/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runaccepted.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "daemon/eventsfile.h"
#include "daemon/places.h"
#include "daemon/rundir.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 10000

/* The daemon writes it before anybody listens, so nothing is waited for but a broken one. */
static bool read_id(char id[RUN_ID_LEN + 2], GError **error)
{
    const int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    size_t len = 0;

    while (len < RUN_ID_LEN + 1) {
        struct pollfd waits = { .fd = STDIN_FILENO, .events = POLLIN };
        const int64_t left = until - clock_monotonic_ms();
        ssize_t n;

        if (left <= 0 || (poll(&waits, 1, (int)left) < 0 && errno != EINTR))
            break;
        n = waits.revents ? recv(STDIN_FILENO, id + len, RUN_ID_LEN + 1 - len, MSG_DONTWAIT) : -1;
        if (n == 0 || (n < 0 && waits.revents && errno != EAGAIN && errno != EINTR))
            break;
        len += (size_t)MAX(n, 0);
    }
    if (len == RUN_ID_LEN + 1 && id[RUN_ID_LEN] == '\n') {
        id[RUN_ID_LEN] = '\0';
        if (run_id_is_valid(id))
            return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "standard input is no connection that names a run; the daemon starts this by "
                "backstay-run.socket");
    return false;
}

static bool redirect(const char *dir, GError **error)
{
    fs_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    fs_autoclose int output = run_dir_output(dir, error);

    if (output < 0)
        return false;
    if (null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
        dup2(output, STDOUT_FILENO) == STDOUT_FILENO &&
        dup2(output, STDERR_FILENO) == STDERR_FILENO)
        return true;
    bs_error_errno(error, errno, "standard input and output of the run");
    return false;
}

bool run_accept(char **ret_spec, char **ret_events, GError **error)
{
    char id[RUN_ID_LEN + 2] = { 0 };
    g_autofree char *dir = NULL;

    if (!read_id(id, error))
        return false;
    dir = places_run_usual(id);
    if (!redirect(dir, error))
        return false;
    *ret_spec = g_build_filename(dir, "spec.json", NULL);
    *ret_events = g_build_filename(dir, EVENTS_NAME, NULL);
    return true;
}
