/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webserver.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/webguard.h"
#include "daemon/webhead.h"
#include "daemon/weblisten.h"
#include "daemon/webpace.h"
#include "daemon/webtls.h"
#include "daemon/webworkers.h"
#include <microhttpd.h>
#include <string.h>

#define IDLE_S    30u /* between two pieces of a request, or of an answer that is taken */
#define PIPE_PART (64u * 1024)

struct WebServer {
    WebServerSettings settings;
    struct MHD_Daemon *daemon;
    WebGuard *guard;
    WebWorkers *workers;
    unsigned port;
};

/* One request, from its first line to the last byte of its answer. */
typedef struct {
    WebServer *server;
    struct MHD_Connection *connection;
    WebGuarded *guarded;
    WebRequest *request;
    WebAnswer *answer;
    WebWork work;
    WebPace pace;     /* of a body in pieces */
    uint64_t unheard; /* bytes of it that nobody wanted */
    bool begun, served;
} Exchange;

/* ---- what was asked ---- */

static Exchange *exchange_new(WebServer *server, struct MHD_Connection *connection,
                              const char *method)
{
    Exchange *exchange = g_new0(Exchange, 1);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    exchange->server = server;
    exchange->connection = connection;
    exchange->guarded = info ? info->socket_context : NULL;
    exchange->request = web_head_begin(connection, method, server->settings.certificate != NULL);
    exchange->answer = web_answer_new();
    return exchange;
}

static void exchange_free(void *user)
{
    Exchange *exchange = user;

    if (exchange->answer->pipe)
        web_pipe_close(exchange->answer->pipe);
    web_request_free(exchange->request);
    web_answer_free(exchange->answer);
    g_free(exchange);
}

static void read_head(Exchange *exchange, const char *path)
{
    const WebServerSettings *settings = &exchange->server->settings;
    WebRequest *request = exchange->request;

    web_head_read(exchange->connection, path, request);
    request->streamed = settings->streams && settings->streams(settings->user, request);
    request->phase = request->streamed ? WEB_PHASE_HEAD : WEB_PHASE_ALL;
    (void)web_request_check_head(request);
}

/* ---- what is answered ---- */

static void fall_asleep(void *user)
{
    MHD_suspend_connection(user);
}

static void wake_up(void *user)
{
    MHD_resume_connection(user);
}

static ssize_t take_from_pipe(void *user, G_GNUC_UNUSED uint64_t at, char *buf, size_t room)
{
    Exchange *exchange = user;
    const WebPipeReader reader = { fall_asleep, wake_up, exchange->connection };
    size_t len;

    switch (web_pipe_take(exchange->answer->pipe, &reader, buf, room, &len)) {
    case WEB_PIPE_BYTES:
        return (ssize_t)len;
    case WEB_PIPE_EMPTY:
        return 0;
    case WEB_PIPE_WHOLE:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case WEB_PIPE_CUT:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void let_go(void *bytes)
{
    g_bytes_unref(bytes);
}

static struct MHD_Response *response_of(Exchange *exchange)
{
    WebAnswer *answer = exchange->answer;
    gsize len = 0;
    const void *data = answer->body ? g_bytes_get_data(answer->body, &len) : NULL;

    // of HEAD only the length is told
    if (answer->pipe || (exchange->request->head && answer->len >= 0))
        return MHD_create_response_from_callback(answer->len < 0 ? MHD_SIZE_UNKNOWN
                                                                 : (uint64_t)answer->len,
                                                 PIPE_PART, take_from_pipe, exchange, NULL);
    if (!answer->body)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer_with_free_callback_cls(len, (void *)data, let_go,
                                                                  g_bytes_ref(answer->body));
}

static enum MHD_Result send_answer(Exchange *exchange)
{
    const WebRequest *request = exchange->request;
    WebAnswer *answer = exchange->answer;
    struct MHD_Response *response = response_of(exchange);
    enum MHD_Result queued;

    if (!response)
        return MHD_NO;
    // where a refused request ends is a guess, and nobody wants the rest of a refused file
    if (request->refusal || (request->streamed && !request->whole))
        (void)MHD_add_response_header(response, "Connection", "close");
    for (guint i = 0; i + 1 < answer->headers->len; i += 2)
        (void)MHD_add_response_header(response, answer->headers->pdata[i],
                                      answer->headers->pdata[i + 1]);
    queued = MHD_queue_response(exchange->connection, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- the turns of one request ---- */

static void served(void *user)
{
    Exchange *exchange = user;

    exchange->served = true;
    web_pace_wake(&exchange->pace, clock_monotonic_ms());
    if (exchange->request->streamed)
        g_byte_array_set_size(exchange->request->body, 0);
    MHD_resume_connection(exchange->connection);
}

static enum MHD_Result hand_over(Exchange *exchange)
{
    if (exchange->guarded)
        web_guard_busy(exchange->server->guard, exchange->guarded);
    exchange->work = (WebWork){ exchange->request, exchange->answer, served, exchange };
    web_pace_sleep(&exchange->pace, clock_monotonic_ms());
    MHD_suspend_connection(exchange->connection);
    if (web_workers_give(exchange->server->workers, &exchange->work))
        return MHD_YES;
    MHD_resume_connection(exchange->connection);
    exchange->served = true;
    web_answer_end_intake(exchange->answer);
    web_answer_text(exchange->answer, 503, "text/plain", "too many requests wait\n");
    web_answer_header(exchange->answer, "Retry-After", "5");
    return MHD_YES;
}

/* The head of a body that comes in pieces was served. */
static enum MHD_Result begin_pieces(Exchange *exchange)
{
    exchange->begun = true;
    web_pace_begin(&exchange->pace, clock_monotonic_ms());
    return exchange->answer->intake || exchange->answer->drain ? MHD_YES : send_answer(exchange);
}

/* Nobody wants it, but a client that does not listen before it has sent all hears only then what
 * became of it. Of a body that tells no length that has an end. */
static enum MHD_Result throw_away(Exchange *exchange, size_t len)
{
    const uint64_t most = MAX(exchange->answer->drain, WEB_UNHEARD);

    exchange->unheard += len;
    return exchange->request->chunked && exchange->unheard > most ? MHD_NO : MHD_YES;
}

/* The library goes on with the chunks that it has read when the connection sleeps already. Only its
 * own thread changes that, so what it says holds. */
static bool is_asleep(const Exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);

    return info && info->suspended != MHD_NO;
}

/* Of a body that comes in pieces, which its worker wants or not. */
static enum MHD_Result take_piece(Exchange *exchange, const char *data, size_t *len)
{
    WebRequest *request = exchange->request;
    const uint64_t slowest = exchange->server->settings.slowest;
    const size_t n = *len;

    if (is_asleep(exchange))
        return MHD_YES; // it is left, and comes again
    *len = 0;
    if (n == 0 && !exchange->begun)
        return begin_pieces(exchange);
    request->taken += n;
    request->whole = request->chunked ? n == 0 : request->taken == request->len;
    if (web_pace_too_slow(&exchange->pace, clock_monotonic_ms(), request->taken, slowest)) {
        request->slow = true;
        return MHD_NO;
    }
    if (!exchange->answer->intake)
        return n == 0 ? send_answer(exchange) : throw_away(exchange, n);
    g_byte_array_append(request->body, (const guint8 *)data, (guint)n);
    if (!request->whole && request->body->len < WEB_PIECE)
        return MHD_YES;
    request->phase = request->whole ? WEB_PHASE_END : WEB_PHASE_PIECE;
    return hand_over(exchange);
}

/* The library calls this with the head, then with each piece of the body, then without one; and the
 * first and the last once more after the connection slept. */
static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *path,
                              const char *method, G_GNUC_UNUSED const char *version,
                              const char *data, size_t *len, void **room)
{
    Exchange *exchange = *room;

    if (!exchange) {
        exchange = *room = exchange_new(user, connection, method);
        read_head(exchange, path);
        // nobody wants the body of what is refused by its head
        return exchange->request->refusal || exchange->request->streamed ? hand_over(exchange)
                                                                         : MHD_YES;
    }
    if (exchange->request->streamed)
        return take_piece(exchange, data, len);
    if (exchange->served)
        return send_answer(exchange);
    if (*len > 0) {
        // what is beyond the bound cannot come, for its length was told
        (void)web_request_add_body(exchange->request, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return hand_over(exchange);
}

static void completed(void *user, G_GNUC_UNUSED struct MHD_Connection *connection, void **room,
                      G_GNUC_UNUSED enum MHD_RequestTerminationCode how)
{
    WebServer *server = user;
    Exchange *exchange = *room;

    if (!exchange)
        return;
    if (exchange->guarded)
        web_guard_idle(server->guard, exchange->guarded);
    *room = NULL;
    if (!exchange->answer->intake) {
        exchange_free(exchange);
        return;
    }
    // to remove a large file takes a while
    exchange->request->phase = WEB_PHASE_CUT;
    exchange->work = (WebWork){ exchange->request, exchange->answer, exchange_free, exchange };
    if (!web_workers_give(server->workers, &exchange->work))
        exchange_free(exchange);
}

static void connected(void *user, struct MHD_Connection *connection, void **room,
                      enum MHD_ConnectionNotificationCode what)
{
    WebServer *server = user;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (what == MHD_CONNECTION_NOTIFY_STARTED && info)
        *room = web_guard_enter(server->guard, info->connect_fd);
    else if (what == MHD_CONNECTION_NOTIFY_CLOSED && *room)
        web_guard_leave(server->guard, *room);
}

/* ---- from the start to the end ---- */

/* Clients make most of these happen, so they are no news. */
static void library_says(G_GNUC_UNUSED void *user, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);

    log_debug("HTTP library", "text", g_strchomp(text), NULL);
}

static bool start_daemon(WebServer *server, int fd, const WebTls *tls)
{
    const struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (tls->certificate ? MHD_USE_TLS : 0);

    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, library_says, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, WEB_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)WEB_HEAD_MAX, MHD_OPTION_NOTIFY_COMPLETED, completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connected, server, MHD_OPTION_UNESCAPE_CALLBACK,
        web_head_leave_escaped, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        tls->certificate ? tls->options : plain, MHD_OPTION_END);
    return server->daemon != NULL;
}

static bool start(WebServer *server, GError **error)
{
    const WebServerSettings *settings = &server->settings;
    g_auto(WebTls) tls = { 0 };
    fs_autoclose int fd = -1;

    if (!web_tls_load(settings->certificate, settings->key, &tls, error))
        return false;
    fd = web_listen(settings->listen, tls.certificate != NULL, WEB_CONNECTIONS, &server->port,
                    error);
    server->workers =
        fd < 0 ? NULL : web_workers_new(settings->serve, settings->rest, settings->user, error);
    if (!server->workers)
        return false;
    if (start_daemon(server, fd, &tls)) {
        fd = -1; // the library's
        return true;
    }
    if (tls.certificate)
        web_tls_say_no_fit(error);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "the HTTP server cannot be started");
    return false;
}

WebServer *web_server_start(const WebServerSettings *settings, GError **error)
{
    g_autoptr(WebServer) server = g_new0(WebServer, 1);

    server->settings = *settings;
    server->guard = web_guard_new(WEB_CONNECTIONS);
    return start(server, error) ? g_steal_pointer(&server) : NULL;
}

unsigned web_server_port(const WebServer *server)
{
    return server->port;
}

void web_server_sweep(WebServer *server)
{
    unsigned n = web_guard_sweep(server->guard);
    g_autofree char *text = n > 0 ? g_strdup_printf("%u", n) : NULL;

    if (text)
        log_info("slow clients were disconnected", "clients", text, NULL);
}

void web_server_free(WebServer *server)
{
    MHD_socket fd = MHD_INVALID_SOCKET;

    if (!server)
        return;
    if (server->daemon)
        fd = MHD_quiesce_daemon(server->daemon);
    if (server->workers)
        web_workers_stop(server->workers); // each resumes the connection it worked for
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    web_workers_free(server->workers);
    fs_clear_fd(&fd);
    web_guard_free(server->guard);
    g_free(server);
}
