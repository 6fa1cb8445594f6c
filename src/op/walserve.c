/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walserve.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/notify.h"
#include "op/walserving.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define LINKS_MAX 64u
#define TURN_MS   500
#define IDLE_MS   (5 * 60 * 1000)
#define MUTE_MS   10000 /* for who has never asked for anything */
#define DRAIN_MS  60000

/* ---- coming and going ---- */

/* Who is silent longest makes room: an honest one comes again when it needs something. */
static bool make_room(WalServer *server)
{
    guint oldest = LINKS_MAX;

    for (guint i = 0; i < server->links->len; i++) {
        WalLink *link = g_ptr_array_index(server->links, i);

        if (!wal_link_is_busy(link) &&
            (oldest == LINKS_MAX ||
             link->heard_ms < ((WalLink *)g_ptr_array_index(server->links, oldest))->heard_ms))
            oldest = i;
    }
    if (oldest == LINKS_MAX)
        return false;
    g_ptr_array_remove_index(server->links, oldest);
    return true;
}

static void add_link(WalServer *server, int fd)
{
    WalLink *link = wal_link_new(server, fd);

    if (server->links->len < LINKS_MAX || make_room(server)) {
        g_ptr_array_add(server->links, link);
        return;
    }
    wal_link_tell_away(link, "too many ask at once");
    wal_link_free(link);
}

static void welcome(WalServer *server)
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
static void look_after(WalServer *server)
{
    int64_t now = clock_monotonic_ms();

    for (guint i = server->links->len; i-- > 0;) {
        WalLink *link = g_ptr_array_index(server->links, i);
        bool idle;

        pthread_mutex_lock(&server->lock);
        idle = !link->busy && now - link->heard_ms > (link->asked ? IDLE_MS : MUTE_MS);
        if (link->busy && now - link->told_ms >= WALWIRE_TELL_MS) {
            link->told_ms = now;
            wal_link_tell(link, &(WalWireAnswer){ .kind = WALWIRE_WAIT });
        }
        pthread_mutex_unlock(&server->lock);
        if (idle)
            g_ptr_array_remove_index(server->links, i);
    }
}

/* ---- turns of the main thread ---- */

static void tell_systemd(WalServer *server)
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

static void swallow_wakes(WalServer *server)
{
    uint64_t n;

    (void)!read(server->wake, &n, sizeof n); // it does not block
}

/* One poll(2): the wake, the listener (-1 is passed over), then the links, of which busy ones are
 * not asked. */
static void turn(WalServer *server)
{
    guint n = server->links->len;
    g_autofree struct pollfd *polls = g_new0(struct pollfd, n + 2);

    polls[0] = (struct pollfd){ .fd = server->wake, .events = POLLIN };
    polls[1] = (struct pollfd){ .fd = server->listener.fd, .events = POLLIN };
    for (guint i = 0; i < n; i++) {
        WalLink *link = g_ptr_array_index(server->links, i);

        polls[2 + i] =
            (struct pollfd){ .fd = wal_link_is_busy(link) ? -1 : link->fd, .events = POLLIN };
    }
    if (poll(polls, n + 2, TURN_MS) > 0) {
        if (polls[0].revents)
            swallow_wakes(server);
        for (guint i = n; i-- > 0;)
            if (polls[2 + i].revents && !wal_link_hear(g_ptr_array_index(server->links, i)))
                g_ptr_array_remove_index(server->links, i);
        if (polls[1].revents)
            welcome(server);
    }
    look_after(server);
    tell_systemd(server);
}

static bool has_busy_link(WalServer *server)
{
    for (guint i = 0; i < server->links->len; i++)
        if (wal_link_is_busy(g_ptr_array_index(server->links, i)))
            return true;
    return false;
}

static void close_idle_links(WalServer *server)
{
    for (guint i = server->links->len; i-- > 0;)
        if (!wal_link_is_busy(g_ptr_array_index(server->links, i)))
            g_ptr_array_remove_index(server->links, i);
}

/* Whoever comes now archives by other means; whoever has asked gets an answer. */
static void drain(WalServer *server)
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
static bool open_at_start(WalServer *server, GError **error)
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

static void server_done(WalServer *server)
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
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalServer, server_done)

bool op_wal_serve(const Settings *settings, const WalServe *serve, const Cancel *stop,
                  GError **error)
{
    g_auto(WalServer) server = { .settings = settings,
                                 .stop = stop,
                                 .listener = { .fd = -1, .lock = -1 },
                                 .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    g_autofree char *path = wal_socket_path(serve->socket);

    pthread_mutex_init(&server.lock, NULL);
    server.abort = cancel_new();
    server.links = g_ptr_array_new_with_free_func(wal_link_free);
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
