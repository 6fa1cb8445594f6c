/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/refusal.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BACKLOG     64
#define PEERS_MAX   64u
#define REQUEST_MAX (256 * 1024)      /* of a request */
#define WAITS_MAX   (4 * 1024 * 1024) /* of answers that are not read */

typedef struct {
    int fd;
    GString *in, *out;
    bool listens; /* to events */
    bool ended;   /* sends nothing more; closed when the answer is out */
} Peer;

struct Control {
    char *path;
    int fd;
    ControlAnswer answer;
    void *user;
    GPtrArray *peers; /* of Peer */
};

/* ---- opening ---- */

static void peer_free(gpointer data)
{
    Peer *peer = data;

    fs_clear_fd(&peer->fd);
    g_string_free(peer->in, TRUE);
    g_string_free(peer->out, TRUE);
    g_free(peer);
}

static bool listen_at(Control *control, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (g_strlcpy(address.sun_path, control->path, sizeof address.sun_path) >=
        sizeof address.sun_path) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: the path of a socket has at most 107 bytes", control->path);
        return false;
    }
    (void)unlink(control->path); // of one that is gone; bind(2) tells of anything else
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // the directory is ours alone, so nobody comes between
    if (control->fd >= 0 &&
        bind(control->fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        chmod(control->path, 0600) == 0 && listen(control->fd, BACKLOG) == 0)
        return true;
    bs_error_errno(error, errno, "listen on %s", control->path);
    return false;
}

Control *control_open(const char *path, ControlAnswer answer, void *user, GError **error)
{
    g_autoptr(Control) control = g_new0(Control, 1);

    control->path = g_strdup(path);
    control->fd = -1;
    control->answer = answer;
    control->user = user;
    control->peers = g_ptr_array_new_with_free_func(peer_free);
    return listen_at(control, error) ? g_steal_pointer(&control) : NULL;
}

void control_free(Control *control)
{
    if (!control)
        return;
    if (control->fd >= 0)
        (void)unlink(control->path); // the next one would remove it as well
    fs_clear_fd(&control->fd);
    g_ptr_array_unref(control->peers);
    g_free(control->path);
    g_free(control);
}

/* ---- sending ---- */

/* False: nobody reads there. */
static bool flush(Peer *peer)
{
    while (peer->out->len > 0) {
        ssize_t n = send(peer->fd, peer->out->str, peer->out->len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN && peer->out->len < WAITS_MAX;
        g_string_erase(peer->out, 0, n);
    }
    return true;
}

static void put(Peer *peer, const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    g_string_append(peer->out, text);
    g_string_append_c(peer->out, '\n');
    free(text);
}

json_t *control_refusal(const GError *error)
{
    g_autofree char *text = g_utf8_make_valid(error->message, -1);

    return json_pack("{s:b, s:i, s:s, s:s}", "ok", 0, "code", bs_error_exit_status(error), "reason",
                     refusal_word(error), "error", text);
}

/* ---- requests ---- */

static json_t *not_understood(const char *why)
{
    g_autoptr(GError) error = g_error_new(BS_ERROR, BS_ERROR_USAGE, "not understood: %s", why);

    return control_refusal(error);
}

static void handle(Control *control, Peer *peer, const char *line, size_t len)
{
    json_error_t problem;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &problem);
    json_t *answer;

    if (json_is_object(request) &&
        g_strcmp0(json_string_value(json_object_get(request, "op")), "events") == 0) {
        peer->listens = true;
        answer = json_pack("{s:b}", "ok", 1);
    } else if (json_is_object(request)) {
        answer = control->answer(request, control->user);
    } else {
        answer = not_understood(request ? "a request is an object" : problem.text);
    }
    put(peer, answer);
    json_decref(answer);
    json_decref(request);
}

static void handle_lines(Control *control, Peer *peer)
{
    const char *newline;

    while ((newline = memchr(peer->in->str, '\n', peer->in->len))) {
        const gssize len = newline - peer->in->str;

        handle(control, peer, peer->in->str, (size_t)len);
        g_string_erase(peer->in, 0, len + 1);
    }
}

/* False: the connection is to be closed. */
static bool hear(Control *control, Peer *peer)
{
    char data[4096];
    ssize_t n = recv(peer->fd, data, sizeof data, 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    peer->ended = n == 0;
    g_string_append_len(peer->in, data, n);
    handle_lines(control, peer);
    if (peer->in->len > REQUEST_MAX) {
        json_t *answer = not_understood("the line is too long");

        put(peer, answer);
        json_decref(answer);
        (void)flush(peer);
        return false;
    }
    return flush(peer) && !(peer->ended && peer->out->len == 0);
}

/* ---- coming and going ---- */

static bool may_speak(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void welcome(Control *control)
{
    for (;;) {
        fs_autoclose int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        Peer *peer;

        if (fd < 0)
            return;
        if (!may_speak(fd)) {
            log_warn("somebody who may not is turned away from the control socket", NULL);
            continue;
        }
        if (control->peers->len >= PEERS_MAX)
            continue;
        peer = g_new0(Peer, 1);
        *peer = (Peer){ .fd = fd, .in = g_string_new(NULL), .out = g_string_new(NULL) };
        fd = -1;
        g_ptr_array_add(control->peers, peer);
    }
}

void control_poll(const Control *control, GArray *polls)
{
    struct pollfd listener = { .fd = control->fd, .events = POLLIN };

    g_array_append_val(polls, listener);
    for (guint i = 0; i < control->peers->len; i++) {
        const Peer *peer = g_ptr_array_index(control->peers, i);
        const int in = peer->ended ? 0 : POLLIN;
        struct pollfd poll = { .fd = peer->fd,
                               .events = (short)(in | (peer->out->len > 0 ? POLLOUT : 0)) };

        g_array_append_val(polls, poll);
    }
}

void control_handle(Control *control, const struct pollfd *polls)
{
    for (guint i = control->peers->len; i-- > 0;) {
        Peer *peer = g_ptr_array_index(control->peers, i);
        const short happened = polls[1 + i].revents;
        bool stays = true;

        if (happened & POLLOUT)
            stays = flush(peer) && !(peer->ended && peer->out->len == 0);
        if (stays && happened & (POLLIN | POLLHUP | POLLERR))
            stays = hear(control, peer);
        if (!stays)
            g_ptr_array_remove_index(control->peers, i);
    }
    if (polls[0].revents)
        welcome(control);
}

bool control_has_listeners(const Control *control)
{
    for (guint i = 0; i < control->peers->len; i++)
        if (((const Peer *)g_ptr_array_index(control->peers, i))->listens)
            return true;
    return false;
}

void control_tell(Control *control, json_t *event)
{
    for (guint i = control->peers->len; i-- > 0;) {
        Peer *peer = g_ptr_array_index(control->peers, i);

        if (!peer->listens)
            continue;
        put(peer, event);
        // who does not read is cut off at the next turn: he is being polled now
        if (!flush(peer))
            (void)shutdown(peer->fd, SHUT_RDWR);
    }
    json_decref(event);
}
