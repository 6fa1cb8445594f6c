/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walserve.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/notify.h"
#include "op/wallisten.h"
#include "op/walpusher.h"
#include "pg/walsocket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#define LINKS_MAX 64u
#define TURN_MS   500
#define IDLE_MS   (5 * 60 * 1000)
#define MUTE_MS   10000 /* for who has never asked for anything */
#define DRAIN_MS  60000

typedef struct Server Server;

/* Somebody at the other end. While it is busy its answer is on the way, and it is not read. */
typedef struct {
    Server *server;
    int fd;
    bool busy, asked;
    int64_t heard_ms, told_ms;
} Link;

struct Server {
    const Settings *settings;
    const Cancel *stop;
    Cancel *abort; /* of requests to the store */
    Keeper *keeper;
    WalPusher *pusher;
    WalListener listener;
    char *location;       /* of the repository */
    pthread_mutex_t lock; /* of busy and told_ms, and of what is sent */
    GPtrArray *links;     /* of Link */
    int wake;             /* eventfd: there is an answer */
    unsigned archived;
    int64_t watched_ms;
};

/* ---- links ---- */

static void link_free(gpointer data)
{
    Link *link = data;

    fs_clear_fd(&link->fd);
    g_free(link);
}

static bool is_busy(Link *link)
{
    bool busy;

    pthread_mutex_lock(&link->server->lock);
    busy = link->busy;
    pthread_mutex_unlock(&link->server->lock);
    return busy;
}

/* Who does not read what it is told loses it, and pushes again. */
static void tell(Link *link, const WalWireAnswer *answer)
{
    char packet[WALWIRE_MAX];
    size_t len = walwire_format_answer(answer, packet);

    g_assert(len > 0);
    (void)walsocket_send(link->fd, packet, len, NULL, 0);
}

static void tell_away(Link *link, const char *text)
{
    WalWireAnswer answer = { .kind = WALWIRE_AWAY };

    g_strlcpy(answer.text, text, sizeof answer.text);
    tell(link, &answer);
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
    Link *link = user;
    Server *server = link->server;
    WalWireAnswer answer = answer_of(pushed, failure);
    const uint64_t one = 1;

    if (failure)
        log_warn("a WAL file is not archived", "error", failure->message, NULL);
    pthread_mutex_lock(&server->lock);
    server->archived += pushed != NULL;
    tell(link, &answer);
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

static void begin_push(Link *link, const WalWireRequest *request, const int *fds)
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
static bool is_ours(const Server *server, const WalWireRequest *request)
{
    return request->repository[0] == '\0' || strcmp(request->repository, server->location) == 0;
}

/* False: that was no request, and the link is to be closed. Takes the descriptors. */
static bool handle(Link *link, const char *packet, size_t len, int *fds, unsigned n_fds)
{
    WalWireRequest request;
    unsigned wanted;

    if (!walwire_parse_request(packet, len, &request)) {
        close_all(fds, n_fds);
        tell_away(link, "not understood; this server speaks version 1 of the protocol");
        return false;
    }
    wanted = request.verb == WALWIRE_PUSH ? WALWIRE_FDS : 0;
    if (n_fds != wanted) {
        close_all(fds, n_fds);
        tell_away(link, "a push has two descriptors with it, the file's and its directory's");
        return false;
    }
    if (request.verb == WALWIRE_PING) {
        tell(link, &(WalWireAnswer){ .kind = WALWIRE_PONG });
    } else if (!is_ours(link->server, &request)) {
        close_all(fds, n_fds);
        tell_away(link, "this server archives into another repository");
    } else {
        begin_push(link, &request, fds);
    }
    return true;
}

/* False: the link is to be closed. */
static bool hear(Link *link)
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

/* ---- coming and going ---- */

/* Who is silent longest makes room: an honest one comes again when it needs something. */
static bool make_room(Server *server)
{
    guint oldest = LINKS_MAX;

    for (guint i = 0; i < server->links->len; i++) {
        Link *link = g_ptr_array_index(server->links, i);

        if (!is_busy(link) &&
            (oldest == LINKS_MAX ||
             link->heard_ms < ((Link *)g_ptr_array_index(server->links, oldest))->heard_ms))
            oldest = i;
    }
    if (oldest == LINKS_MAX)
        return false;
    g_ptr_array_remove_index(server->links, oldest);
    return true;
}

static void add_link(Server *server, int fd)
{
    Link *link = g_new0(Link, 1);

    *link = (Link){ .server = server, .fd = fd, .heard_ms = clock_monotonic_ms() };
    if (server->links->len < LINKS_MAX || make_room(server)) {
        g_ptr_array_add(server->links, link);
        return;
    }
    tell_away(link, "too many ask at once");
    link_free(link);
}

static void welcome(Server *server)
{
    // one who may not speak to us does not keep the others waiting
    for (guint i = 0; i < LINKS_MAX; i++) {
        int fd = wal_accept(&server->listener);

        if (fd >= 0)
            add_link(server, fd);
        else if (errno != EACCES)
            return;
    }
}

/* Says to those who wait that they are not forgotten, and closes what is silent. */
static void look_after(Server *server)
{
    int64_t now = clock_monotonic_ms();

    for (guint i = server->links->len; i-- > 0;) {
        Link *link = g_ptr_array_index(server->links, i);
        bool idle;

        pthread_mutex_lock(&server->lock);
        idle = !link->busy && now - link->heard_ms > (link->asked ? IDLE_MS : MUTE_MS);
        if (link->busy && now - link->told_ms >= WALWIRE_TELL_MS) {
            link->told_ms = now;
            tell(link, &(WalWireAnswer){ .kind = WALWIRE_WAIT });
        }
        pthread_mutex_unlock(&server->lock);
        if (idle)
            g_ptr_array_remove_index(server->links, i);
    }
}

/* ---- turns of the main thread ---- */

static void tell_systemd(Server *server)
{
    int64_t now = clock_monotonic_ms(), every = notify_watchdog_ms();
    g_autofree char *state = NULL;
    unsigned archived;

    if (every == 0 || now - server->watched_ms < every)
        return;
    server->watched_ms = now;
    pthread_mutex_lock(&server->lock);
    archived = server->archived;
    pthread_mutex_unlock(&server->lock);
    state = g_strdup_printf("WATCHDOG=1\nSTATUS=%u files archived", archived);
    notify_send(state);
}

static void swallow_wakes(Server *server)
{
    uint64_t n;

    (void)!read(server->wake, &n, sizeof n); // it does not block
}

/* One poll(2): the wake, the listener (-1 is passed over), then the links, of which busy ones are
 * not asked. */
static void turn(Server *server)
{
    guint n = server->links->len;
    g_autofree struct pollfd *polls = g_new0(struct pollfd, n + 2);

    polls[0] = (struct pollfd){ .fd = server->wake, .events = POLLIN };
    polls[1] = (struct pollfd){ .fd = server->listener.fd, .events = POLLIN };
    for (guint i = 0; i < n; i++) {
        Link *link = g_ptr_array_index(server->links, i);

        polls[2 + i] = (struct pollfd){ .fd = is_busy(link) ? -1 : link->fd, .events = POLLIN };
    }
    if (poll(polls, n + 2, TURN_MS) > 0) {
        if (polls[0].revents)
            swallow_wakes(server);
        for (guint i = n; i-- > 0;)
            if (polls[2 + i].revents && !hear(g_ptr_array_index(server->links, i)))
                g_ptr_array_remove_index(server->links, i);
        if (polls[1].revents)
            welcome(server);
    }
    look_after(server);
    tell_systemd(server);
}

static bool has_busy_link(Server *server)
{
    for (guint i = 0; i < server->links->len; i++)
        if (is_busy(g_ptr_array_index(server->links, i)))
            return true;
    return false;
}

static void close_idle_links(Server *server)
{
    for (guint i = server->links->len; i-- > 0;)
        if (!is_busy(g_ptr_array_index(server->links, i)))
            g_ptr_array_remove_index(server->links, i);
}

/* Whoever comes now archives by other means; whoever has asked gets an answer. */
static void drain(Server *server)
{
    int64_t until = clock_monotonic_ms() + DRAIN_MS;

    notify_send("STOPPING=1\nSTATUS=finishing what is under way");
    wal_listener_close(&server->listener);
    for (close_idle_links(server); has_busy_link(server); close_idle_links(server)) {
        if (clock_monotonic_ms() > until)
            cancel_set(server->abort);
        turn(server);
    }
}

/* ---- from the start to the end ---- */

typedef struct {
    Keeper *keeper;
    GError *failure;
    atomic_bool done;
} Opening;

static void *open_first(void *user)
{
    Opening *opening = user;
    KeptRepo *kept;

    if (keeper_take(opening->keeper, &kept, &opening->failure))
        keeper_give(opening->keeper, kept, NULL);
    atomic_store(&opening->done, true);
    return NULL;
}

/* In a thread of its own, for a store that does not answer may be asked for a long time, and only
 * what was set in `abort` ends that. */
static bool open_at_start(Server *server, GError **error)
{
    Opening opening = { .keeper = server->keeper };
    pthread_t thread;

    if (pthread_create(&thread, NULL, open_first, &opening) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no thread can be started");
        return false;
    }
    while (!atomic_load(&opening.done)) {
        if (cancel_is_set(server->stop))
            cancel_set(server->abort);
        (void)poll(NULL, 0, 10);
    }
    (void)pthread_join(thread, NULL);
    if (opening.failure)
        g_propagate_error(error, opening.failure);
    return opening.failure == NULL;
}

static void server_done(Server *server)
{
    wal_pusher_free(server->pusher); // no answer is on its way any more
    g_clear_pointer(&server->links, g_ptr_array_unref);
    keeper_free(server->keeper);
    wal_listener_done(&server->listener);
    cancel_free(server->abort);
    fs_clear_fd(&server->wake);
    pthread_mutex_destroy(&server->lock);
    g_free(server->location);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Server, server_done)

bool op_wal_serve(const Settings *settings, const WalServe *serve, const Cancel *stop,
                  GError **error)
{
    g_auto(Server) server = { .settings = settings,
                              .stop = stop,
                              .listener = { .fd = -1, .lock = -1 },
                              .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    g_autofree char *path = wal_socket_path(serve->socket);

    pthread_mutex_init(&server.lock, NULL);
    server.abort = cancel_new();
    server.links = g_ptr_array_new_with_free_func(link_free);
    server.keeper = keeper_new(settings, MIRRORS_WRITE, server.abort);
    if (server.wake < 0) {
        bs_error_errno(error, errno, "eventfd");
        return false;
    }
    if (!wal_repository(settings, &server.location, error) || !open_at_start(&server, error) ||
        !wal_listen(path, serve->group, &server.listener, error))
        return false;
    server.pusher = wal_pusher_new(server.keeper, serve->jobs);
    log_info("WAL server is ready", "socket", path, "repository", server.location, NULL);
    notify_send("READY=1");
    while (!cancel_is_set(stop))
        turn(&server);
    drain(&server);
    return true;
}
