/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webhub.h"

#include "base/error.h"
#include "base/fs.h"
#include "daemon/webproblem.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ROOM      (256u * 1024) /* of one who listens */
#define EVENT_MAX (1024u * 1024)
#define BEAT_MS   15000 /* so that one who is gone is noticed, and proxies do not give up */
#define AGAIN_MS  2000
#define ASK       "{\"op\":\"events\"}\n"

struct WebHub {
    char *control;
    pthread_mutex_t lock;
    GPtrArray *pipes;
    int wake; // eventfd: a first one listens, or the end has come
    atomic_bool ending;
    pthread_t thread;
    bool started;
};

static void wake(WebHub *hub)
{
    uint64_t one = 1;

    (void)!write(hub->wake, &one, sizeof one); // it can only fail when it is awake already
}

/* Removes those who do not keep up, or are gone. */
static void tell(WebHub *hub, const char *text, size_t len)
{
    pthread_mutex_lock(&hub->lock);
    for (guint i = hub->pipes->len; i-- > 0;) {
        WebPipe *pipe = hub->pipes->pdata[i];

        if (!web_pipe_offer(pipe, text, len)) {
            web_pipe_end(pipe, false);
            g_ptr_array_remove_index_fast(hub->pipes, i);
        }
    }
    pthread_mutex_unlock(&hub->lock);
}

static guint count(WebHub *hub)
{
    guint n;

    pthread_mutex_lock(&hub->lock);
    n = hub->pipes->len;
    pthread_mutex_unlock(&hub->lock);
    return n;
}

/* ---- the scheduler ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    fs_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connected;

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path ||
        fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, ASK, strlen(ASK), MSG_NOSIGNAL) != (ssize_t)strlen(ASK))
        return -1;
    connected = fd;
    fd = -1;
    return connected;
}

/* One line of JSON is one event; it holds no line feed, so it needs no second "data:". */
static void tell_line(WebHub *hub, const char *line, size_t len)
{
    g_autofree char *text = g_strdup_printf("data: %.*s\n\n", (int)len, line);

    if (len > 0)
        tell(hub, text, strlen(text));
}

static bool take_lines(WebHub *hub, GString *held, const char *data, size_t len)
{
    const char *end;

    g_string_append_len(held, data, (gssize)len);
    while ((end = memchr(held->str, '\n', held->len))) {
        size_t line = (size_t)(end - held->str);

        tell_line(hub, held->str, line);
        g_string_erase(held, 0, (gssize)line + 1);
    }
    return held->len < EVENT_MAX;
}

/* False: the connection is lost. */
static bool take(WebHub *hub, int fd, GString *held)
{
    char data[16384];
    ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    return n > 0 && take_lines(hub, held, data, (size_t)n);
}

static void swallow(WebHub *hub)
{
    uint64_t n;

    (void)!read(hub->wake, &n, sizeof n); // it does not block
}

/* As long as somebody listens and the scheduler speaks. */
static void follow(WebHub *hub, int fd)
{
    g_autoptr(GString) held = g_string_new(NULL);
    bool alive = true;

    while (alive && !atomic_load(&hub->ending) && count(hub) > 0) {
        struct pollfd polls[] = { { .fd = hub->wake, .events = POLLIN },
                                  { .fd = fd, .events = POLLIN } };
        int n = poll(polls, fd < 0 ? 1 : 2, fd < 0 ? AGAIN_MS : BEAT_MS);

        if (n == 0)
            tell(hub, ": beat\n\n", 8);
        if (n > 0 && polls[0].revents)
            swallow(hub);
        if (n > 0 && fd >= 0 && polls[1].revents)
            alive = take(hub, fd, held);
        alive = alive && fd >= 0;
    }
}

static void *work(void *user)
{
    WebHub *hub = user;

    while (!atomic_load(&hub->ending)) {
        struct pollfd asleep = { .fd = hub->wake, .events = POLLIN };
        fs_autoclose int fd = -1;

        if (count(hub) == 0) {
            if (poll(&asleep, 1, -1) > 0)
                swallow(hub);
            continue;
        }
        fd = connect_to(hub->control);
        follow(hub, fd);
    }
    return NULL;
}

/* ---- who listens ---- */

static void end_pipe(gpointer pipe)
{
    web_pipe_end(pipe, false); // nothing when it was ended before
    web_pipe_unref(pipe);
}

WebHub *web_hub_new(const char *control, GError **error)
{
    WebHub *hub = g_new0(WebHub, 1);
    int failed;

    pthread_mutex_init(&hub->lock, NULL);
    hub->control = g_strdup(control);
    hub->pipes = g_ptr_array_new_with_free_func(end_pipe);
    hub->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    failed = hub->wake < 0 ? errno : pthread_create(&hub->thread, NULL, work, hub);
    hub->started = failed == 0;
    if (hub->started)
        return hub;
    bs_error_errno(error, failed, "start a thread for events");
    web_hub_free(hub);
    return NULL;
}

void web_hub_stop(WebHub *hub)
{
    atomic_store(&hub->ending, true);
    if (hub->started) {
        wake(hub);
        (void)pthread_join(hub->thread, NULL);
        hub->started = false;
    }
    pthread_mutex_lock(&hub->lock);
    g_ptr_array_set_size(hub->pipes, 0);
    pthread_mutex_unlock(&hub->lock);
}

void web_hub_free(WebHub *hub)
{
    if (!hub)
        return;
    web_hub_stop(hub);
    g_ptr_array_unref(hub->pipes);
    fs_clear_fd(&hub->wake);
    pthread_mutex_destroy(&hub->lock);
    g_free(hub->control);
    g_free(hub);
}

WebPipe *web_hub_listen(WebHub *hub)
{
    WebPipe *pipe = NULL;

    pthread_mutex_lock(&hub->lock);
    if (hub->pipes->len < HUB_LISTENERS && !atomic_load(&hub->ending)) {
        pipe = web_pipe_new(ROOM);
        g_ptr_array_add(hub->pipes, web_pipe_ref(pipe));
        (void)web_pipe_offer(pipe, "retry: 3000\n\n", 13); // there is room
    }
    pthread_mutex_unlock(&hub->lock);
    wake(hub);
    return pipe;
}

bool web_events(WebCall *call, WebAnswer *answer, GError **error)
{
    web_answer_header(answer, "Content-Type", "text/event-stream");
    web_answer_header(answer, "X-Accel-Buffering", "no");
    answer->status = 200;
    if (call->request->head)
        return true;
    answer->pipe = web_hub_listen(call->web->hub);
    return answer->pipe || web_refuse(error, 503, "busy", "too many listen already");
}
