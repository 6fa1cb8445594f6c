/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct HttpServer {
    HttpHandler handler;
    void *user;
    SSL_CTX *tls;
    int listener;
    char *url;
    pthread_t acceptor;
    pthread_mutex_t mutex; /* conns */
    GPtrArray *conns;
    atomic_uint n_connections, n_requests;
    atomic_bool ending;
};

struct HttpConn {
    HttpServer *server;
    pthread_t thread;
    int fd;
    SSL *ssl;
    unsigned number;
    bool reset;
    GByteArray *ahead; /* read, not yet used */
    size_t body_left;
};

/* ---- bytes ---- */

static ssize_t conn_read(HttpConn *conn, void *buf, size_t len)
{
    return conn->ssl ? SSL_read(conn->ssl, buf, (int)len) : read(conn->fd, buf, len);
}

bool http_conn_send(HttpConn *conn, const void *data, size_t len)
{
    const char *bytes = data;

    while (len > 0) {
        size_t part = MIN(len, 1u << 20);
        ssize_t n = conn->ssl ? SSL_write(conn->ssl, bytes, (int)part)
                              : send(conn->fd, bytes, part, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

bool http_conn_say(HttpConn *conn, const char *text)
{
    return http_conn_send(conn, text, strlen(text));
}

bool http_conn_answer(HttpConn *conn, const char *status, const char *headers, const void *body,
                      size_t len)
{
    g_autofree char *head = g_strdup_printf("HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                                            headers ? headers : "", len);

    return http_conn_say(conn, head) && http_conn_send(conn, body, len);
}

void http_conn_reset(HttpConn *conn)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    conn->reset = true;
    g_assert_cmpint(setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), ==, 0);
}

void http_conn_wait(HttpConn *conn, unsigned ms)
{
    for (unsigned waited = 0; waited < ms && !atomic_load(&conn->server->ending); waited += 10)
        g_usleep(10 * 1000);
}

GBytes *http_conn_read(HttpConn *conn, size_t max)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    char buf[65536];

    max = MIN(max, conn->body_left);
    while (body->len < max) {
        size_t n = MIN(max - body->len, conn->ahead->len);
        ssize_t got;

        g_byte_array_append(body, conn->ahead->data, (guint)n);
        if (n > 0)
            g_byte_array_remove_range(conn->ahead, 0, (guint)n);
        if (body->len == max)
            break;
        got = conn_read(conn, buf, MIN(sizeof buf, max - body->len));
        if (got <= 0)
            break;
        g_byte_array_append(body, (guint8 *)buf, (guint)got);
    }
    conn->body_left -= body->len;
    return g_byte_array_free_to_bytes(g_steal_pointer(&body));
}

/* ---- requests ---- */

/* Up to the empty line; NULL at the end. */
static char *read_head(HttpConn *conn)
{
    char buf[4096];

    for (;;) {
        const char *end = g_strstr_len((char *)conn->ahead->data, conn->ahead->len, "\r\n\r\n");
        ssize_t n;

        if (end) {
            guint len = (guint)(end + 4 - (char *)conn->ahead->data);
            char *head = g_strndup((char *)conn->ahead->data, len);

            g_byte_array_remove_range(conn->ahead, 0, len);
            return head;
        }
        n = conn_read(conn, buf, sizeof buf);
        if (n <= 0)
            return NULL;
        g_byte_array_append(conn->ahead, (guint8 *)buf, (guint)n);
    }
}

static void served_clear(HttpServed *served)
{
    g_clear_pointer(&served->headers, g_hash_table_unref);
    g_clear_pointer(&served->method, g_free);
    g_clear_pointer(&served->target, g_free);
    g_clear_pointer(&served->head, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpServed, served_clear)

static bool read_request(HttpConn *conn, HttpServed *served)
{
    g_auto(GStrv) lines = NULL;
    g_auto(GStrv) words = NULL;
    const char *len;

    served->head = read_head(conn);
    if (!served->head)
        return false;
    lines = g_strsplit(served->head, "\r\n", -1);
    words = g_strsplit(lines[0], " ", 3);
    g_assert_cmpuint(g_strv_length(words), ==, 3);
    served->method = g_strdup(words[0]);
    served->target = g_strdup(words[1]);
    served->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (size_t i = 1; *lines[i]; i++) {
        char *colon = strchr(lines[i], ':');

        g_assert_nonnull(colon);
        g_hash_table_insert(served->headers, g_ascii_strdown(lines[i], colon - lines[i]),
                            g_strdup(g_strstrip(colon + 1)));
    }
    len = g_hash_table_lookup(served->headers, "content-length");
    served->body_len = conn->body_left = len ? g_ascii_strtoull(len, NULL, 10) : 0;
    return true;
}

static void serve(HttpConn *conn)
{
    for (unsigned number = 1;; number++) {
        g_auto(HttpServed) served = { .connection = conn->number, .number = number };

        if (!read_request(conn, &served))
            return;
        atomic_fetch_add(&conn->server->n_requests, 1);
        if (!conn->server->handler(conn, &served, conn->server->user))
            return;
        g_bytes_unref(http_conn_read(conn, conn->body_left));
    }
}

/* ---- connections ---- */

/* What was not read would make a reset of the end. Whoever ends the server ends the patience. */
static void drain(HttpConn *conn)
{
    struct timeval patience = { .tv_sec = 60 };
    char buf[65536];

    (void)shutdown(conn->fd, SHUT_WR);
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (read(conn->fd, buf, sizeof buf) > 0)
        ;
}

/* Under the mutex, because whoever ends the server looks at the descriptor. */
static void conn_close(HttpConn *conn)
{
    if (!conn->reset)
        drain(conn);
    pthread_mutex_lock(&conn->server->mutex);
    (void)close(conn->fd);
    conn->fd = -1;
    pthread_mutex_unlock(&conn->server->mutex);
}

static void *conn_main(void *user)
{
    HttpConn *conn = user;

    if (!conn->ssl || SSL_accept(conn->ssl) == 1) {
        serve(conn);
        if (conn->ssl)
            (void)SSL_shutdown(conn->ssl);
    }
    conn_close(conn);
    return NULL;
}

static void conn_free(gpointer pointer)
{
    HttpConn *conn = pointer;

    pthread_join(conn->thread, NULL);
    SSL_free(conn->ssl);
    g_byte_array_unref(conn->ahead);
    g_free(conn);
}

static void conn_start(HttpServer *server, int fd)
{
    HttpConn *conn = g_new0(HttpConn, 1);
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn->server = server;
    conn->fd = fd;
    conn->number = atomic_fetch_add(&server->n_connections, 1) + 1;
    conn->ahead = g_byte_array_sized_new(4096);
    if (server->tls) {
        conn->ssl = SSL_new(server->tls);
        g_assert_true(SSL_set_fd(conn->ssl, fd));
    }
    g_assert_cmpint(pthread_create(&conn->thread, NULL, conn_main, conn), ==, 0);
    pthread_mutex_lock(&server->mutex);
    g_ptr_array_add(server->conns, conn);
    pthread_mutex_unlock(&server->mutex);
}

static void *acceptor_main(void *user)
{
    HttpServer *server = user;

    while (!atomic_load(&server->ending)) {
        // shutdown() of the listener ends the waiting
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            conn_start(server, fd);
    }
    return NULL;
}

/* ---- server ---- */

static SSL_CTX *tls_new(const HttpServerTls *options)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    g_assert_cmpint(SSL_CTX_use_certificate_chain_file(tls, options->cert), ==, 1);
    g_assert_cmpint(SSL_CTX_use_PrivateKey_file(tls, options->cert, SSL_FILETYPE_PEM), ==, 1);
    if (options->client_ca) {
        g_assert_cmpint(SSL_CTX_load_verify_locations(tls, options->client_ca, NULL), ==, 1);
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (options->old) {
        SSL_CTX_set_security_level(tls, 0);
        g_assert_true(SSL_CTX_set_min_proto_version(tls, TLS1_VERSION));
        g_assert_true(SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION));
    }
    return tls;
}

HttpServer *http_server_new(HttpHandler handler, void *user, const HttpServerTls *tls)
{
    HttpServer *server = g_new0(HttpServer, 1);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;

    (void)signal(SIGPIPE, SIG_IGN); // as the program does
    server->handler = handler;
    server->user = user;
    if (tls && tls->cert)
        server->tls = tls_new(tls);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(server->listener, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(server->listener, 64), ==, 0);
    g_assert_cmpint(getsockname(server->listener, (struct sockaddr *)&address, &len), ==, 0);
    server->url = g_strdup_printf("%s://127.0.0.1:%u", server->tls ? "https" : "http",
                                  ntohs(address.sin_port));
    pthread_mutex_init(&server->mutex, NULL);
    server->conns = g_ptr_array_new_with_free_func(conn_free);
    g_assert_cmpint(pthread_create(&server->acceptor, NULL, acceptor_main, server), ==, 0);
    return server;
}

void http_server_free(HttpServer *server)
{
    atomic_store(&server->ending, true);
    (void)shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    pthread_mutex_lock(&server->mutex);
    for (guint i = 0; i < server->conns->len; i++) {
        const HttpConn *conn = g_ptr_array_index(server->conns, i);

        if (conn->fd >= 0)
            (void)shutdown(conn->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->mutex);
    g_ptr_array_unref(server->conns);
    (void)close(server->listener);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->mutex);
    g_free(server->url);
    g_free(server);
}

const char *http_server_url(const HttpServer *server)
{
    return server->url;
}

unsigned http_server_n_connections(HttpServer *server)
{
    return atomic_load(&server->n_connections);
}

unsigned http_server_n_requests(HttpServer *server)
{
    return atomic_load(&server->n_requests);
}
