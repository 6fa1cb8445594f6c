/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ask.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "daemon/refusal.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX (64 * 1024 * 1024)
#define SYSTEM     "/run/backstay/control.sock"

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    fs_autoclose int fd = -1;
    int connected;

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    connected = fd;
    fd = -1;
    return connected;
}

/* A service of systemd finds its own; others that of their user, and else the machine's. */
static char *usual_path(void)
{
    const char *service = g_getenv("RUNTIME_DIRECTORY");
    char *path;

    if (service && *service == '/') {
        g_autofree char *first = g_strndup(service, strcspn(service, ":"));

        return g_build_filename(first, "control.sock", NULL);
    }
    path = g_build_filename(g_get_user_runtime_dir(), "backstay", "control.sock", NULL);
    if (geteuid() != 0 && g_file_test(path, G_FILE_TEST_EXISTS))
        return path;
    g_free(path);
    return g_strdup(SYSTEM);
}

static bool send_line(int fd, const json_t *request, const char *path, GError **error)
{
    char *text = json_dumps(request, JSON_COMPACT);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    const size_t len = strlen(line);

    free(text);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            bs_error_errno(error, errno, "asking %s", path);
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

static bool receive_line(int fd, int timeout_ms, const char *path, GString *line, GError **error)
{
    const int64_t until = clock_monotonic_ms() + timeout_ms;
    char data[65536];

    while (!memchr(line->str, '\n', line->len) && line->len < ANSWER_MAX) {
        struct pollfd waits = { .fd = fd, .events = POLLIN };
        const int64_t left = until - clock_monotonic_ms();
        ssize_t n;

        if (left <= 0 || (poll(&waits, 1, (int)left) < 0 && errno != EINTR))
            break;
        n = waits.revents ? recv(fd, data, sizeof data, MSG_DONTWAIT) : -1;
        if (n == 0)
            break;
        if (n > 0)
            g_string_append_len(line, data, n);
    }
    if (memchr(line->str, '\n', line->len))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "the scheduler does not answer at %s", path);
    return false;
}

static bool judge(json_t *answer, const char *path, GError **error)
{
    const char *text = json_string_value(json_object_get(answer, "error"));
    const json_t *code = json_object_get(answer, "code");

    if (json_is_true(json_object_get(answer, "ok")))
        return true;
    g_set_error(error, BS_ERROR, refusal_code(json_string_value(json_object_get(answer, "reason"))),
                "%s", text ? text : path);
    if (error && json_is_integer(code))
        bs_error_set_exit_status(*error, (int)CLAMP(json_integer_value(code), 1, 255));
    return false;
}

static bool find_owner(int fd, uid_t *ret_owner)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    *ret_owner = peer.uid;
    return true;
}

bool ask_scheduler(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
                   GError **error)
{
    uid_t owner;

    return ask_scheduler_of(path, request, timeout_ms, ret_answer, &owner, error);
}

bool ask_scheduler_of(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
                      uid_t *ret_owner, GError **error)
{
    g_autofree char *place = path ? g_strdup(path) : usual_path();
    g_autoptr(GString) line = g_string_new(NULL);
    fs_autoclose int fd = connect_to(place);
    const bool reached = fd >= 0 && find_owner(fd, ret_owner);
    json_t *answer;
    bool ok;

    if (!reached)
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE,
                    "no scheduler at %s: %s; start one with `backstay daemon`", place,
                    g_strerror(errno));
    ok = reached && send_line(fd, request, place, error) &&
         receive_line(fd, timeout_ms, place, line, error);
    json_decref(request);
    if (!ok)
        return false;
    answer = json_loadb(line->str, line->len, JSON_REJECT_DUPLICATES, NULL);
    if (judge(answer, place, error)) {
        *ret_answer = answer;
        return true;
    }
    json_decref(answer);
    return false;
}
