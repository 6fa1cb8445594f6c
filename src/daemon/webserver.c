/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webserver.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/webguard.h"
#include "daemon/weblisten.h"
#include "daemon/webworkers.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>

#define IDLE_S    30u /* between two pieces of a request, or of an answer that is taken */
#define PEM_MAX   (1024u * 1024)
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
    bool begun, served;
} Exchange;

/* ---- what was asked ---- */

static char *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";

    if (info && info->client_addr->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((struct sockaddr_in *)info->client_addr)->sin_addr, text,
                        sizeof text);
    else if (info && info->client_addr->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)info->client_addr)->sin6_addr, text,
                        sizeof text);
    return g_strdup(text);
}

static enum MHD_Result take_header(void *user, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    web_request_add_header(user, name, value);
    return MHD_YES;
}

static enum MHD_Result take_query(void *user, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    return web_request_add_query(user, name, value) ? MHD_YES : MHD_NO;
}

/* Paths and queries are decoded by us, after they are taken apart. */
static size_t leave_escaped(G_GNUC_UNUSED void *user, G_GNUC_UNUSED struct MHD_Connection *of,
                            char *text)
{
    return strlen(text);
}

static Exchange *exchange_new(WebServer *server, struct MHD_Connection *connection,
                              const char *method)
{
    Exchange *exchange = g_new0(Exchange, 1);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    g_autofree char *peer = peer_of(connection);

    exchange->server = server;
    exchange->connection = connection;
    exchange->guarded = info ? info->socket_context : NULL;
    exchange->request = web_request_new(method, peer, server->settings.certificate != NULL);
    exchange->answer = web_answer_new();
    return exchange;
}

static void exchange_free(Exchange *exchange)
{
    if (exchange->answer->pipe)
        web_pipe_close(exchange->answer->pipe);
    web_request_free(exchange->request);
    web_answer_free(exchange->answer);
    g_free(exchange);
}

static void read_head(Exchange *exchange, const char *path)
{
    WebRequest *request = exchange->request;

    (void)web_request_split(request, path);
    (void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, take_header, request);
    (void)MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, take_query,
                                    request);
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
    WebAnswer *answer = exchange->answer;
    struct MHD_Response *response = response_of(exchange);
    enum MHD_Result queued;

    if (!response)
        return MHD_NO;
    // where a refused request ends is a guess
    if (exchange->request->refusal)
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
    MHD_resume_connection(exchange->connection);
}

static enum MHD_Result hand_over(Exchange *exchange)
{
    if (exchange->guarded)
        web_guard_busy(exchange->server->guard, exchange->guarded);
    exchange->work = (WebWork){ exchange->request, exchange->answer, served, exchange };
    MHD_suspend_connection(exchange->connection);
    if (web_workers_give(exchange->server->workers, &exchange->work))
        return MHD_YES;
    MHD_resume_connection(exchange->connection);
    exchange->served = true;
    web_answer_text(exchange->answer, 503, "text/plain", "too many requests wait\n");
    web_answer_header(exchange->answer, "Retry-After", "5");
    return MHD_YES;
}

/* The library calls this with the head, then with each piece of the body, then without one; and
 * once more after the connection slept. */
static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *path,
                              const char *method, G_GNUC_UNUSED const char *version,
                              const char *data, size_t *len, void **room)
{
    Exchange *exchange = *room;

    if (!exchange) {
        exchange = *room = exchange_new(user, connection, method);
        read_head(exchange, path);
        // nobody wants the body of what is refused by its head
        return exchange->request->refusal ? hand_over(exchange) : MHD_YES;
    }
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
    exchange_free(exchange);
    *room = NULL;
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

static char *load_pem(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    const char *data;

    if (!fs_read_file(path, PEM_MAX, &bytes, error)) {
        g_prefix_error(error, "server.tls: ");
        return NULL;
    }
    data = g_bytes_get_data(bytes, &len);
    return g_strndup(data, len);
}

static bool start_daemon(WebServer *server, int fd, const char *certificate, const char *key)
{
    const struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    const struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (certificate ? MHD_USE_TLS : 0);

    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, library_says, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, WEB_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)WEB_HEAD_MAX, MHD_OPTION_NOTIFY_COMPLETED, completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connected, server, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escaped, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        certificate ? tls : plain, MHD_OPTION_END);
    return server->daemon != NULL;
}

static bool start(WebServer *server, GError **error)
{
    const WebServerSettings *settings = &server->settings;
    g_autofree char *certificate = NULL, *key = NULL;
    fs_autoclose int fd = -1;
    bool started;

    if (settings->certificate && (!(certificate = load_pem(settings->certificate, error)) ||
                                  !(key = load_pem(settings->key, error))))
        return false;
    fd = web_listen(settings->listen, certificate != NULL, WEB_CONNECTIONS, &server->port, error);
    server->workers = fd < 0 ? NULL : web_workers_new(settings->serve, settings->user, error);
    if (!server->workers)
        return false;
    started = start_daemon(server, fd, certificate, key);
    if (key)
        secret_wipe(key, strlen(key));
    if (started)
        fd = -1; // the library's
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s",
                    certificate
                        ? "server.tls: the certificate and the key do not fit, or are no PEM"
                        : "the HTTP server cannot be started");
    return started;
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
    web_workers_free(server->workers); // each resumes the connection it worked for
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    fs_clear_fd(&fd);
    web_guard_free(server->guard);
    g_free(server);
}
