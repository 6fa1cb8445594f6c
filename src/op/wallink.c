/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walserving.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

WalLink *wal_link_new(WalServer *server, int fd)
{
    WalLink *link = g_new0(WalLink, 1);

    *link = (WalLink){ .server = server, .fd = fd, .heard_ms = clock_monotonic_ms() };
    return link;
}

void wal_link_free(gpointer data)
{
    WalLink *link = data;

    fs_clear_fd(&link->fd);
    g_free(link);
}

bool wal_link_is_busy(WalLink *link)
{
    bool busy;

    pthread_mutex_lock(&link->server->lock);
    busy = link->busy;
    pthread_mutex_unlock(&link->server->lock);
    return busy;
}

void wal_link_tell(WalLink *link, const WalWireAnswer *answer)
{
    char packet[WALWIRE_MAX];
    size_t len = walwire_format_answer(answer, packet);

    g_assert(len > 0);
    (void)walsocket_send(link->fd, packet, len, NULL, 0);
}

void wal_link_tell_away(WalLink *link, const char *text)
{
    WalWireAnswer answer = { .kind = WALWIRE_AWAY };

    g_strlcpy(answer.text, text, sizeof answer.text);
    wal_link_tell(link, &answer);
}

/* ---- answers, from the pusher's threads ---- */

static WalWireAnswer answer_of(const WalPushed *pushed, const GError *failure)
{
    WalWireAnswer answer = { .kind = pushed ? WALWIRE_DONE : WALWIRE_FAILED };

    if (pushed) {
        answer.system_id = pushed->system_id;
        answer.len = pushed->len;
        answer.stored = pushed->stored;
        answer.was_there = pushed->was_there;
    } else {
        answer.status = bs_error_exit_status(failure);
        g_strlcpy(answer.text, failure->message, sizeof answer.text);
    }
    return answer;
}

static void answered(const WalPushed *pushed, const GError *failure, void *user)
{
    WalLink *link = user;
    WalServer *server = link->server;
    WalWireAnswer answer = answer_of(pushed, failure);
    const uint64_t one = 1;

    if (failure)
        log_warn("a WAL file is not archived", "error", failure->message, NULL);
    pthread_mutex_lock(&server->lock);
    server->archived += pushed != NULL;
    wal_link_tell(link, &answer);
    link->busy = false; // from here on it is the main thread's again
    pthread_mutex_unlock(&server->lock);
    while (write(server->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- requests ---- */

static void close_all(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fs_clear_fd(&fds[i]);
}

static void begin_push(WalLink *link, const WalWireRequest *request, const int *fds)
{
    WalAsk ask = {
        .file = fds[0], .pg_wal = fds[1], .system_id = request->system_id, .name = request->name
    };

    pthread_mutex_lock(&link->server->lock);
    link->busy = true;
    link->told_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&link->server->lock);
    wal_pusher_ask(link->server->pusher, &ask, answered, link);
}

/* Whoever names a repository means that one. */
static bool is_ours(const WalServer *server, const WalWireRequest *request)
{
    return request->repository[0] == '\0' || strcmp(request->repository, server->location) == 0;
}

/* False: that was no request, and the link is to be closed. Takes the descriptors. */
static bool handle(WalLink *link, const char *packet, size_t len, int *fds, unsigned n_fds)
{
    WalWireRequest request;
    unsigned wanted;

    if (!walwire_parse_request(packet, len, &request)) {
        close_all(fds, n_fds);
        wal_link_tell_away(link, "not understood; this server speaks version 1 of the protocol");
        return false;
    }
    wanted = request.verb == WALWIRE_PUSH ? WALWIRE_FDS : 0;
    if (n_fds != wanted) {
        close_all(fds, n_fds);
        wal_link_tell_away(link,
                           "a push has two descriptors with it, the file's and its directory's");
        return false;
    }
    if (request.verb == WALWIRE_PING) {
        wal_link_tell(link, &(WalWireAnswer){ .kind = WALWIRE_PONG });
    } else if (!is_ours(link->server, &request)) {
        close_all(fds, n_fds);
        wal_link_tell_away(link, "this server archives into another repository");
    } else {
        begin_push(link, &request, fds);
    }
    return true;
}

bool wal_link_hear(WalLink *link)
{
    char packet[WALWIRE_MAX];
    int fds[WALWIRE_FDS];
    unsigned n_fds = 0;
    ssize_t n = walsocket_receive(link->fd, packet, fds, &n_fds);

    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        return false;
    link->heard_ms = clock_monotonic_ms();
    link->asked = true;
    return handle(link, packet, (size_t)n, fds, n_fds);
}
