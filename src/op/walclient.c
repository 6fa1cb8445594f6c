/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walclient.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "op/wallisten.h"
#include "pg/walsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

bool wal_server_use_parse(const char *text, WalServerUse *ret_use, GError **error)
{
    static const char *const words[] = {
        [WAL_SERVER_AUTO] = "auto",
        [WAL_SERVER_REQUIRE] = "require",
        [WAL_SERVER_NEVER] = "never",
    };

    *ret_use = WAL_SERVER_AUTO;
    if (!text)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *ret_use = (WalServerUse)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--server %s: must be auto, require or never",
                text);
    return false;
}

/* ---- finding it ---- */

/* What was named is trusted. Elsewhere a socket of somebody else could say that a file is safe, and
 * PostgreSQL would throw it away. */
static bool is_trusted(int fd)
{
    uid_t uid;

    return walsocket_peer(fd, &uid) && (uid == geteuid() || uid == 0);
}

/* -1: nobody is there; *ret_path: where one was, or might have been. */
static int find_server(const char *given, char **ret_path)
{
    bool named;
    g_auto(GStrv) paths = wal_socket_candidates(given, &named);

    for (char **path = paths; *path; path++) {
        int fd = walsocket_connect(*path);

        g_free(*ret_path);
        *ret_path = g_strdup(*path);
        if (fd >= 0 && (named || is_trusted(fd)))
            return fd;
        if (fd >= 0) {
            log_warn("the WAL server there is neither this user's nor root's; name it with "
                     "--socket to trust it",
                     "socket", *path, NULL);
            (void)close(fd);
        }
    }
    return -1;
}

/* ---- asking ---- */

typedef struct {
    int fd; /* of the socket */
    int file, dir;
    WalWireRequest request;
    uint64_t len; /* of the file */
} Asking;

static void asking_clear(Asking *asking)
{
    fs_clear_fd(&asking->fd);
    fs_clear_fd(&asking->file);
    fs_clear_fd(&asking->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Asking, asking_clear)

static bool open_file(Asking *asking, const char *path, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path);
    struct stat st;

    asking->file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (asking->file < 0 || fstat(asking->file, &st) != 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    asking->len = (uint64_t)st.st_size;
    asking->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (asking->dir >= 0)
        return true;
    bs_error_errno(error, errno, "open %s", dir);
    return false;
}

/* False without an error: it cannot be said in a packet. */
static bool make_request(Asking *asking, const Settings *settings, const WalClusterFrom *from,
                         GError **error)
{
    g_autofree char *name = g_path_get_basename(from->path);
    g_autofree char *location = NULL;
    WalName parsed;

    if (!wal_name_parse(name, &parsed, error) || !open_file(asking, from->path, error) ||
        !wal_cluster_find(from, &asking->request.system_id, error))
        return false;
    // without a repository of its own the server's is meant
    if (!wal_repository(settings, &location, NULL))
        location = g_strdup("");
    asking->request.verb = WALWIRE_PUSH;
    return g_strlcpy(asking->request.name, name, sizeof asking->request.name) <
               sizeof asking->request.name &&
           g_strlcpy(asking->request.repository, location, sizeof asking->request.repository) <
               sizeof asking->request.repository;
}

static bool send_request(const Asking *asking)
{
    char packet[WALWIRE_MAX];
    size_t len = walwire_format_request(&asking->request, packet);
    const int fds[WALWIRE_FDS] = { asking->file, asking->dir };

    return len > 0 && walsocket_send(asking->fd, packet, len, fds, WALWIRE_FDS);
}

/* The next packet: 1, or 0 for none in time, -1 for the end or one that nobody understands. */
static int hear(int fd, WalWireAnswer *ret_answer)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char packet[WALWIRE_MAX];
    int fds[WALWIRE_FDS];
    unsigned n_fds = 0;
    ssize_t n;

    if (poll(&wait, 1, WALWIRE_TELL_MS) <= 0)
        return 0;
    n = walsocket_receive(fd, packet, fds, &n_fds);
    if (n < 0 && errno == EAGAIN)
        return 0;
    for (unsigned i = 0; i < n_fds; i++)
        (void)close(fds[i]);
    return n > 0 && walwire_parse_answer(packet, (size_t)n, ret_answer) ? 1 : -1;
}

/* False with an error: cancelled. Without one: there is no answer. */
static bool await_answer(int fd, const Cancel *cancel, WalWireAnswer *ret_answer, GError **error)
{
    int64_t heard_ms = clock_monotonic_ms();

    while (clock_monotonic_ms() - heard_ms < WALWIRE_SILENT_MS) {
        int got = hear(fd, ret_answer);

        if (!cancel_check(cancel, error) || got < 0)
            return false;
        if (got > 0 && ret_answer->kind != WALWIRE_WAIT)
            return true;
        if (got > 0)
            heard_ms = clock_monotonic_ms();
    }
    return false;
}

/* ---- the answer ---- */

/* Whoever says that another file is durable says nothing of this one. */
static bool is_of_this(const Asking *asking, const WalWireAnswer *answer)
{
    return answer->len == asking->len &&
           (asking->request.system_id == 0 || answer->system_id == asking->request.system_id);
}

static WalPushed pushed_of(const Asking *asking, const WalWireAnswer *answer)
{
    WalPushed pushed = { .system_id = answer->system_id,
                         .len = answer->len,
                         .stored = answer->stored,
                         .was_there = answer->was_there };

    g_strlcpy(pushed.name, asking->request.name, sizeof pushed.name);
    return pushed;
}

static void set_failed(const WalWireAnswer *answer, GError **error)
{
    GError *failure = g_error_new(BS_ERROR, BS_ERROR_FAILED, "WAL server: %s", answer->text);

    bs_error_set_exit_status(failure, answer->status);
    g_propagate_error(error, failure);
}

/* Without the server: an error when it has to be there. */
static bool without(const WalServerAt *at, const char *path, const char *why, bool *ret_done,
                    GError **error)
{
    *ret_done = false;
    if (at->use == WAL_SERVER_AUTO)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "no WAL server at %s: %s", path, why);
    return false;
}

static bool use_answer(const Asking *asking, const WalServerAt *at, const char *path,
                       const WalWireAnswer *answer, bool *ret_done, WalPushed *ret_pushed,
                       GError **error)
{
    switch (answer->kind) {
    case WALWIRE_DONE:
        if (!is_of_this(asking, answer))
            break;
        *ret_pushed = pushed_of(asking, answer);
        *ret_done = true;
        return true;
    case WALWIRE_FAILED:
        set_failed(answer, error);
        return false;
    case WALWIRE_AWAY:
        log_warn("the WAL server does not take the file", "socket", path, "why", answer->text,
                 NULL);
        return without(at, path, answer->text, ret_done, error);
    case WALWIRE_PONG:
    case WALWIRE_WAIT:
        break;
    }
    return without(at, path, "its answer is of something else", ret_done, error);
}

bool op_wal_hand_over(const Settings *settings, const WalServerAt *at, const WalClusterFrom *from,
                      const Cancel *cancel, bool *ret_done, WalPushed *ret_pushed, GError **error)
{
    g_auto(Asking) asking = { .fd = -1, .file = -1, .dir = -1 };
    g_autofree char *path = NULL;
    g_autoptr(GError) failure = NULL;
    WalWireAnswer answer;

    *ret_done = false;
    if (at->use == WAL_SERVER_NEVER)
        return true;
    asking.fd = find_server(at->socket, &path);
    if (asking.fd < 0)
        return without(at, path, "nobody listens there", ret_done, error);
    if (!make_request(&asking, settings, from, &failure) || !send_request(&asking) ||
        !await_answer(asking.fd, cancel, &answer, &failure)) {
        if (failure) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        log_warn("the WAL server does not answer", "socket", path, NULL);
        return without(at, path, "it does not answer", ret_done, error);
    }
    return use_answer(&asking, at, path, &answer, ret_done, ret_pushed, error);
}
