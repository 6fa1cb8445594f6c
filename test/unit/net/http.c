/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include "base/clock.h"
#include "base/error.h"
#include "lib/certificates.h"
#include "lib/http_server.h"
#include "lib/tempdir.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#define STALL_MS 300
#define SOON_MS  15000 /* well before never_answers() ends, however busy this machine is */

/* ---- asking ---- */

static HttpClient *client_new(const HttpOptions *options)
{
    g_autoptr(GError) error = NULL;
    HttpClient *client = NULL;

    http_client_new(options, &client, &error);
    g_assert_no_error(error);
    return client;
}

/* As patient as the program is, for a busy machine may be silent for a while. */
static HttpClient *client_standard(void)
{
    return client_new(&(HttpOptions){ 0 });
}

static bool get(HttpClient *client, const char *base, const char *path, HttpReply *ret_reply,
                GError **error)
{
    g_autofree char *url = g_strconcat(base, path, NULL);
    HttpRequest request = { .method = "GET", .url = url };

    return http_request(client, &request, ret_reply, error);
}

static void assert_status(HttpClient *client, const char *base, unsigned status)
{
    g_autoptr(GError) error = NULL;
    g_auto(HttpReply) reply = { 0 };

    get(client, base, "/", &reply, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(reply.status, ==, status);
}

static void assert_fails(HttpClient *client, const char *base, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_auto(HttpReply) reply = { 0 };

    g_assert_false(get(client, base, "/", &reply, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
    g_assert_null(reply.body);
}

/* ---- what goes and comes ---- */

/* The body back, and what was asked for. */
static bool echo(HttpConn *conn, const HttpServed *request, G_GNUC_UNUSED void *user)
{
    g_autoptr(GBytes) body = http_conn_read(conn, request->body_len);
    g_autofree char *head = g_strescape(request->head, NULL);
    g_autofree char *headers =
        g_strdup_printf("X-Head: %s\r\nX-Twice: one\r\nX-TWICE:two \r\nX-Empty:\r\n", head);

    return http_conn_answer(conn, "200 OK", headers, g_bytes_get_data(body, NULL),
                            g_bytes_get_size(body));
}

static void carries_bodies_and_headers(void)
{
    HttpServer *server = http_server_new(echo, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();
    g_autoptr(GError) error = NULL;
    size_t len = 3000001;
    g_autofree uint8_t *body = g_malloc(len);
    g_autofree char *url = g_strconcat(http_server_url(server), "/a/../b%2Fc?x=%20&y", NULL);
    HttpHeader headers[] = { { "Range", "bytes=1-2" }, { "X-None", "" } };
    HttpRequest request = { .method = "PUT",
                            .url = url,
                            .headers = headers,
                            .n_headers = 2,
                            .body = body,
                            .body_len = len,
                            .bound = len };
    g_auto(HttpReply) reply = { 0 };
    const char *head;

    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)(i * 2654435761u >> 13);
    http_request(client, &request, &reply, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(reply.status, ==, 200);
    g_assert_cmpuint(reply.body_len, ==, len);
    g_assert_cmpmem(reply.body->data, reply.body->len, body, len);
    g_assert_cmpstr(http_reply_header(&reply, "x-twice"), ==, "two");
    g_assert_cmpstr(http_reply_header(&reply, "x-empty"), ==, "");
    g_assert_null(http_reply_header(&reply, "x-none"));
    head = http_reply_header(&reply, "x-head");
    g_assert_true(g_str_has_prefix(head, "PUT /a/../b%2Fc?x=%20&y HTTP/1.1\\r\\n"));
    g_assert_nonnull(strstr(head, "\\r\\nRange: bytes=1-2\\r\\n"));
    g_assert_nonnull(strstr(head, "\\r\\nX-None:\\r\\n"));
    g_assert_nonnull(strstr(head, "\\r\\nContent-Length: 3000001\\r\\n"));
    g_assert_null(strstr(head, "Expect"));
    g_assert_null(strstr(head, "Transfer-Encoding"));
    g_assert_null(strstr(head, "Content-Type"));
    http_server_free(server);
}

static void sends_empty_bodies_with_a_length(void)
{
    static const char *const methods[] = { "PUT", "POST" };
    HttpServer *server = http_server_new(echo, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();

    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        HttpRequest request = { .method = methods[i], .url = http_server_url(server) };
        g_auto(HttpReply) reply = { 0 };

        g_assert_true(http_request(client, &request, &reply, NULL));
        g_assert_true(g_str_has_prefix(http_reply_header(&reply, "x-head"), methods[i]));
        g_assert_nonnull(strstr(http_reply_header(&reply, "x-head"), "Content-Length: 0\\r\\n"));
        g_assert_cmpuint(reply.body->len, ==, 0);
    }
    http_server_free(server);
}

/* Whatever user is, byte for byte. */
static bool say(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request, void *user)
{
    (void)http_conn_say(conn, user);
    return false;
}

static void gives_every_whole_answer(void)
{
    static const struct {
        const char *label, *answer;
        unsigned status;
        const char *body;
    } cases[] = {
        { "not found", "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone", 404, "gone" },
        { "redirects are not followed",
          "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 301,
          "" },
        { "no content", "HTTP/1.1 204 None\r\n\r\n", 204, "" },
        { "without a reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok" },
        { "chunks",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
          "Content-Length: 7\r\n\r\n",
          200, "abcde" },
        { "a provisional answer before",
          "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\n!", 500,
          "!" },
        { "more than its length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1", 200,
          "ok" },
        { "odd headers", "HTTP/1.1 200 OK\r\nA:\r\n  folded\r\nContent-Length:1\r\n: x\r\n\r\ny",
          200, "y" },
        { "an old server, until the end", "HTTP/1.0 200 OK\r\n\r\nall", 200, "all" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        HttpServer *server = http_server_new(say, (void *)cases[i].answer, NULL);
        g_autoptr(HttpClient) client = client_standard();
        g_autoptr(GError) error = NULL;
        g_auto(HttpReply) reply = { 0 };

        g_test_message("%s", cases[i].label);
        get(client, http_server_url(server), "/", &reply, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(reply.status, ==, cases[i].status);
        g_assert_cmpmem(reply.body->data, reply.body->len, cases[i].body, strlen(cases[i].body));
        g_assert_null(http_reply_header(&reply, "x"));
        http_server_free(server);
    }
}

static void asks_for_heads(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nTransfer-Encoding: chunked\r\n\r\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        HttpServer *server = http_server_new(say, (void *)answers[i], NULL);
        g_autoptr(HttpClient) client = client_standard();
        HttpRequest request = { .method = "HEAD", .url = http_server_url(server) };
        g_auto(HttpReply) reply = { 0 };

        g_assert_true(http_request(client, &request, &reply, NULL));
        g_assert_cmpuint(reply.status, ==, 200);
        g_assert_cmpstr(http_reply_header(&reply, "content-length"), ==, "1234");
        g_assert_cmpuint(reply.body_len, ==, 0);
        http_server_free(server);
    }
}

/* ---- bodies into memory, and bounds ---- */

static bool ten_bytes(HttpConn *conn, const HttpServed *request, G_GNUC_UNUSED void *user)
{
    return http_conn_answer(conn, g_str_has_suffix(request->target, "bad") ? "400 Bad" : "200 OK",
                            NULL, "0123456789", 10);
}

static void puts_bodies_where_they_are_wanted(void)
{
    HttpServer *server = http_server_new(ten_bytes, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();

    for (size_t want = 8; want <= 12; want++) {
        char buf[16] = "";
        HttpRequest request = {
            .method = "GET", .url = http_server_url(server), .into = buf, .into_len = want
        };
        g_auto(HttpReply) reply = { 0 };

        g_assert_true(http_request(client, &request, &reply, NULL));
        g_assert_cmpint(reply.body_len == want, ==, want == 10);
        g_assert_cmpint(reply.body_len > want, ==, want < 10);
        g_assert_cmpuint(reply.body->len, ==, 0);
        if (want == 10)
            g_assert_cmpmem(buf, 16, "0123456789\0\0\0\0\0", 16);
        g_assert_true(memcmp(buf + want, "\0\0\0", 3) == 0);
    }
    http_server_free(server);
}

static void bodies_of_errors_go_elsewhere(void)
{
    HttpServer *server = http_server_new(ten_bytes, NULL, NULL);
    g_autofree char *url = g_strconcat(http_server_url(server), "/bad", NULL);
    g_autoptr(HttpClient) client = client_standard();
    char buf[10] = "untouched";
    HttpRequest request = { .method = "GET", .url = url, .into = buf, .into_len = 10, .bound = 1 };
    g_auto(HttpReply) reply = { 0 };

    g_assert_true(http_request(client, &request, &reply, NULL));
    g_assert_cmpuint(reply.status, ==, 400);
    g_assert_cmpmem(reply.body->data, reply.body->len, "0123456789", 10);
    g_assert_cmpstr(buf, ==, "untouched");
    http_server_free(server);
}

static void bounds_are_kept(void)
{
    HttpServer *server = http_server_new(ten_bytes, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();

    for (size_t bound = 9; bound <= 10; bound++) {
        HttpRequest request = { .method = "GET", .url = http_server_url(server), .bound = bound };
        g_auto(HttpReply) reply = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(http_request(client, &request, &reply, &error), ==, bound == 10);
        if (bound < 10)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    http_server_free(server);
}

static bool endless_headers(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request,
                            G_GNUC_UNUSED void *user)
{
    g_autofree char *line = g_strnfill(1000, 'x');

    (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\n");
    while (http_conn_say(conn, "X: ") && http_conn_say(conn, line) && http_conn_say(conn, "\r\n"))
        ;
    return false;
}

static void headers_have_a_bound(void)
{
    HttpServer *server = http_server_new(endless_headers, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();

    assert_fails(client, http_server_url(server), BS_ERROR_CORRUPT, "headers");
    http_server_free(server);
}

static bool endless_body(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request,
                         G_GNUC_UNUSED void *user)
{
    char piece[4096] = "";

    (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
    while (http_conn_send(conn, piece, sizeof piece))
        ;
    return false;
}

static void takes_no_more_than_was_asked_for(void)
{
    HttpServer *server = http_server_new(endless_body, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();
    char buf[10];
    HttpRequest request = {
        .method = "GET", .url = http_server_url(server), .into = buf, .into_len = sizeof buf
    };
    g_auto(HttpReply) reply = { 0 };

    assert_fails(client, http_server_url(server), BS_ERROR_CORRUPT, "larger than 1048576 bytes");
    g_assert_true(http_request(client, &request, &reply, NULL));
    g_assert_cmpuint(reply.body_len, >, sizeof buf);
    http_server_free(server);
}

/* ---- connections ---- */

typedef struct {
    HttpClient *client;
    const char *url;
    unsigned n;
} Asker;

static void *ask_often(void *user)
{
    const Asker *asker = user;

    for (unsigned i = 0; i < asker->n; i++)
        assert_status(asker->client, asker->url, 200);
    return NULL;
}

static void connections_are_kept(void)
{
    HttpServer *server = http_server_new(echo, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();
    Asker asker = { client, http_server_url(server), 20 };
    pthread_t threads[8];

    (void)ask_often(&asker);
    g_assert_cmpuint(http_server_n_connections(server), ==, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, ask_often, &asker), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        pthread_join(threads[i], NULL);
    g_assert_cmpuint(http_server_n_connections(server), <=, 8);
    g_assert_cmpuint(http_server_n_requests(server), ==, 180);
    http_server_free(server);
}

static void hosts_do_not_take_each_others_connections(void)
{
    HttpServer *one = http_server_new(echo, NULL, NULL);
    HttpServer *two = http_server_new(echo, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();

    for (unsigned i = 0; i < 5; i++) {
        assert_status(client, http_server_url(one), 200);
        assert_status(client, http_server_url(two), 200);
    }
    g_assert_cmpuint(http_server_n_connections(one), ==, 1);
    g_assert_cmpuint(http_server_n_connections(two), ==, 1);
    http_server_free(one);
    http_server_free(two);
}

/* Each connection dies at its second request, which it has read. */
static bool dies_when_kept(HttpConn *conn, const HttpServed *request, void *user)
{
    return request->number == 1 && echo(conn, request, user);
}

static void a_dead_connection_is_replaced(void)
{
    HttpServer *server = http_server_new(dies_when_kept, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();
    g_autoptr(GError) error = NULL;
    HttpRequest request = {
        .method = "PUT", .url = http_server_url(server), .body = "text", .body_len = 4, .once = true
    };
    g_auto(HttpReply) reply = { 0 };

    assert_status(client, http_server_url(server), 200);
    assert_status(client, http_server_url(server), 200);
    g_assert_cmpuint(http_server_n_requests(server), ==, 3);
    g_assert_false(http_request(client, &request, &reply, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_cmpuint(http_server_n_requests(server), ==, 4);
    g_assert_true(http_request(client, &request, &reply, NULL));
    http_server_free(server);
}

/* ---- failures ---- */

static void what_is_no_http_is_transient(void)
{
    static const char *const answers[] = {
        "\x15\x03\x01\x02\x02 go away\r\n\r\n",
        "220 mail.example.org ESMTP\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        HttpServer *server = http_server_new(say, (void *)answers[i], NULL);
        g_autoptr(HttpClient) client = client_standard();

        assert_fails(client, http_server_url(server), BS_ERROR_TRANSIENT, "127.0.0.1:");
        http_server_free(server);
    }
}

typedef enum { CUT_IN_ANSWER, CUT_IN_CHUNK, CUT_IN_HEADERS, CUT_AT_ONCE, CUT_BY_RESET, CUTS } Cut;

static bool cut_off(HttpConn *conn, const HttpServed *request, void *user)
{
    g_autoptr(GBytes) half = http_conn_read(conn, request->body_len / 2);

    switch (*(Cut *)user) {
    case CUT_IN_ANSWER:
        g_bytes_unref(http_conn_read(conn, request->body_len));
        (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012345678");
        break;
    case CUT_IN_CHUNK:
        g_bytes_unref(http_conn_read(conn, request->body_len));
        (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n012");
        break;
    case CUT_IN_HEADERS:
        g_bytes_unref(http_conn_read(conn, request->body_len));
        (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Len");
        break;
    case CUT_BY_RESET:
        http_conn_reset(conn);
        break;
    case CUT_AT_ONCE:
    case CUTS:
        break;
    }
    return false;
}

static void cut_answers_are_transient(void)
{
    for (Cut cut = 0; cut < CUTS; cut++) {
        HttpServer *server = http_server_new(cut_off, &cut, NULL);
        g_autoptr(HttpClient) client = client_standard();
        g_autofree uint8_t *body = g_malloc0(5000000);
        HttpRequest request = {
            .method = "PUT", .url = http_server_url(server), .body = body, .body_len = 5000000
        };
        g_auto(HttpReply) reply = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("cut %d", (int)cut);
        g_assert_false(http_request(client, &request, &reply, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_assert_true(g_str_has_prefix(error->message, "127.0.0.1:"));
        g_assert_null(reply.body);
        if (cut != CUT_AT_ONCE && cut != CUT_BY_RESET)
            assert_fails(client, http_server_url(server), BS_ERROR_TRANSIENT, "127.0.0.1:");
        http_server_free(server);
    }
}

static bool refuses_early(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request, void *user)
{
    (void)http_conn_say(conn, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    if (*(bool *)user)
        http_conn_reset(conn);
    return false;
}

/* A refusal is heard while the body is still on its way; a reset behind it may come first. */
static void early_refusals_are_heard(void)
{
    size_t len = 16u << 20;
    g_autofree uint8_t *body = g_malloc0(len);

    for (unsigned round = 0; round < 6; round++) {
        bool resets = round >= 3;
        HttpServer *server = http_server_new(refuses_early, &resets, NULL);
        g_autoptr(HttpClient) client = client_standard();
        HttpRequest request = {
            .method = "PUT", .url = http_server_url(server), .body = body, .body_len = len
        };
        g_auto(HttpReply) reply = { 0 };
        g_autoptr(GError) error = NULL;

        if (http_request(client, &request, &reply, &error))
            g_assert_cmpuint(reply.status, ==, 403);
        else if (resets)
            g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        else
            g_assert_no_error(error);
        g_test_message("%u: %s", round, error ? error->message : "heard");
        http_server_free(server);
    }
}

static bool never_answers(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request,
                          G_GNUC_UNUSED void *user)
{
    http_conn_wait(conn, 20000);
    return false;
}

static void silence_is_transient(void)
{
    HttpServer *server = http_server_new(never_answers, NULL, NULL);
    g_autoptr(HttpClient) client = client_new(&(HttpOptions){ .stall_ms = STALL_MS });
    size_t len = 64u << 20; // more than sockets hold
    g_autofree uint8_t *body = g_malloc0(len);
    HttpRequest request = {
        .method = "PUT", .url = http_server_url(server), .body = body, .body_len = len
    };
    g_auto(HttpReply) reply = { 0 };
    g_autoptr(GError) error = NULL;
    int64_t began_ms = clock_monotonic_ms();

    assert_fails(client, http_server_url(server), BS_ERROR_TRANSIENT, "no byte came or went");
    g_assert_false(http_request(client, &request, &reply, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_cmpint(clock_monotonic_ms() - began_ms, >=, 2 * STALL_MS);
    g_assert_cmpint(clock_monotonic_ms() - began_ms, <, 2 * STALL_MS + SOON_MS);
    http_server_free(server);
}

static bool trickles(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request,
                     G_GNUC_UNUSED void *user)
{
    (void)http_conn_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (unsigned i = 0; i < 1000 && http_conn_say(conn, "x"); i++)
        http_conn_wait(conn, 50);
    return true;
}

static void a_trickle_is_transient(void)
{
    HttpServer *server = http_server_new(trickles, NULL, NULL);
    g_autoptr(HttpClient) client = client_new(&(HttpOptions){ .stall_ms = 200 });
    bool told = false;

    // on a busy machine some tries meet silence in between, which is told as such
    for (unsigned tries = 0; tries < 20 && !told; tries++) {
        g_autoptr(GError) error = NULL;
        g_auto(HttpReply) reply = { 0 };

        g_assert_false(get(client, http_server_url(server), "/", &reply, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        told = strstr(error->message, "slower than") != NULL;
    }
    g_assert_true(told);
    http_server_free(server);
}

static void *cancel_soon(void *user)
{
    g_usleep(100 * 1000);
    cancel_set(user);
    return NULL;
}

static void cancel_ends_a_request(void)
{
    HttpServer *server = http_server_new(never_answers, NULL, NULL);
    HttpServer *other = http_server_new(echo, NULL, NULL);
    g_autoptr(Cancel) cancel = cancel_new();
    HttpOptions options = { .cancel = cancel };
    g_autoptr(HttpClient) client = client_new(&options);
    int64_t began_ms = clock_monotonic_ms();
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, cancel_soon, cancel), ==, 0);
    assert_fails(client, http_server_url(server), BS_ERROR_CANCELLED, "interrupted");
    g_assert_cmpint(clock_monotonic_ms() - began_ms, <, SOON_MS);
    pthread_join(thread, NULL);
    // what was done is tidied up, but nobody waits long for it, and not twice
    assert_status(client, http_server_url(other), 200);
    began_ms = clock_monotonic_ms();
    assert_fails(client, http_server_url(server), BS_ERROR_TRANSIENT, "not answered soon enough");
    g_assert_cmpint(clock_monotonic_ms() - began_ms, <, SOON_MS);
    assert_fails(client, http_server_url(other), BS_ERROR_TRANSIENT, "not asked");
    http_server_free(server);
    http_server_free(other);
}

static void nobody_there_is_transient(void)
{
    // whoever has a port and does not listen keeps others from it
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autoptr(HttpClient) client = client_standard();
    g_autofree char *url = NULL;

    g_assert_cmpint(bind(deaf, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(getsockname(deaf, (struct sockaddr *)&address, &len), ==, 0);
    url = g_strdup_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_fails(client, url, BS_ERROR_TRANSIENT, "127.0.0.1:");
    assert_fails(client, "http://no-such-host.invalid", BS_ERROR_TRANSIENT, "no-such-host.invalid");
    (void)close(deaf);
}

static void refuses_what_it_cannot_send(void)
{
    static const struct {
        const char *url, *value;
    } cases[] = {
        { "http://user:secret@127.0.0.1:1/", "x" },
        { "ftp://127.0.0.1/", "x" },
        { "/etc/passwd", "x" },
        { "http://", "x" },
        { "http://127.0.0.1:99999/", "x" },
        { "http://127.0.0.1:1/", "a\r\nHost: b" },
    };
    g_autoptr(HttpClient) client = client_standard();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        HttpHeader header = { "X-Test", cases[i].value };
        HttpRequest request = {
            .method = "GET", .url = cases[i].url, .headers = &header, .n_headers = 1
        };
        g_auto(HttpReply) reply = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].url);
        g_assert_false(http_request(client, &request, &reply, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_null(strstr(error->message, "secret"));
    }
}

static void proxies_come_from_the_environment(void)
{
    HttpServer *proxy = http_server_new(echo, NULL, NULL);
    g_autoptr(HttpClient) client = client_standard();
    g_autoptr(GError) error = NULL;
    g_auto(HttpReply) reply = { 0 };

    g_assert_true(g_setenv("http_proxy", http_server_url(proxy), TRUE));
    get(client, "http://no-such-host.invalid:8080", "/a?b", &reply, &error);
    g_unsetenv("http_proxy");
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(http_reply_header(&reply, "x-head"),
                                   "GET http://no-such-host.invalid:8080/a?b HTTP/1.1\\r\\n"
                                   "Host: no-such-host.invalid:8080\\r\\n"));
    http_server_free(proxy);
}

/* ---- Retry-After ---- */

static void says_when_to_come_back(void)
{
    static const struct {
        const char *date, *after;
        int64_t ms;
    } cases[] = {
        { NULL, NULL, 0 },
        { NULL, "0", 0 },
        { NULL, "7", 7000 },
        { NULL, "86400", 600000 },
        { NULL, "99999999999999999999", 600000 },
        { NULL, "-5", 0 },
        { NULL, "soon", 0 },
        { NULL, "", 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:40 GMT", 3000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:40 GMT", 600000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:30 GMT", 0 },
        { NULL, "Sun, 06 Nov 1994 08:49:30 GMT", 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(HttpReply) reply = { .headers = g_hash_table_new(g_str_hash, g_str_equal) };

        if (cases[i].date)
            g_hash_table_insert(reply.headers, "date", (void *)cases[i].date);
        if (cases[i].after)
            g_hash_table_insert(reply.headers, "retry-after", (void *)cases[i].after);
        g_test_message("%s", cases[i].after);
        g_assert_cmpint(http_retry_after_ms(&reply), ==, cases[i].ms);
    }
}

/* ---- TLS ---- */

typedef struct {
    char *dir;
    char *ca, *other_ca;
    char *good, *client, *foreign_client;
} Zoo;

static void zoo_set_up(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    zoo->dir = tempdir_new();
    zoo->ca = certificate_authority(zoo->dir, "our ca");
    zoo->other_ca = certificate_authority(zoo->dir, "another ca");
    zoo->good = certificate_new(zoo->dir, "good", zoo->ca, "IP:127.0.0.1", 5);
    zoo->client = certificate_new(zoo->dir, "client", zoo->ca, "DNS:client", 5);
    zoo->foreign_client = certificate_new(zoo->dir, "foreign", zoo->other_ca, "DNS:client", 5);
}

static void zoo_tear_down(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    g_free(zoo->ca);
    g_free(zoo->other_ca);
    g_free(zoo->good);
    g_free(zoo->client);
    g_free(zoo->foreign_client);
    tempdir_remove(zoo->dir);
}

static void trusts_our_authority_only(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *expired = certificate_new(zoo->dir, "expired", zoo->ca, "IP:127.0.0.1", -1);
    g_autofree char *elsewhere =
        certificate_new(zoo->dir, "elsewhere", zoo->ca, "DNS:example.org,IP:127.0.0.2", 5);
    g_autofree char *alone = certificate_new(zoo->dir, "alone", NULL, "IP:127.0.0.1", 5);
    g_autofree char *foreign =
        certificate_new(zoo->dir, "foreign server", zoo->other_ca, "IP:127.0.0.1", 5);
    const struct {
        const char *label, *cert, *ca;
        bool want;
    } cases[] = {
        { "signed by our authority", zoo->good, zoo->ca, true },
        { "the system does not know our authority", zoo->good, NULL, false },
        { "another authority", foreign, zoo->ca, false },
        { "over", expired, zoo->ca, false },
        { "another host", elsewhere, zoo->ca, false },
        { "signed by itself", alone, zoo->ca, false },
        { "signed by itself, and named", alone, alone, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        HttpServerTls tls = { .cert = cases[i].cert };
        HttpServer *server = http_server_new(echo, NULL, &tls);
        HttpOptions options = { .ca_file = cases[i].ca };
        g_autoptr(HttpClient) client = client_new(&options);

        g_test_message("%s", cases[i].label);
        if (cases[i].want)
            assert_status(client, http_server_url(server), 200);
        else
            assert_fails(client, http_server_url(server), BS_ERROR_DENIED, "certificate");
        http_server_free(server);
    }
}

static void shows_its_certificate(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    const char *const certs[] = { zoo->client, zoo->foreign_client, NULL };
    HttpServerTls tls = { .cert = zoo->good, .client_ca = zoo->ca };
    HttpServer *server = http_server_new(echo, NULL, &tls);

    for (size_t i = 0; i < G_N_ELEMENTS(certs); i++) {
        HttpOptions options = { .ca_file = zoo->ca, .client_cert = certs[i] };
        g_autoptr(HttpClient) client = client_new(&options);

        if (i == 0)
            assert_status(client, http_server_url(server), 200);
        else
            assert_fails(client, http_server_url(server), BS_ERROR_DENIED, "TLS is refused");
    }
    http_server_free(server);
}

static void refuses_old_and_no_tls(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    HttpServerTls tls = { .cert = zoo->good, .old = true };
    HttpServer *old = http_server_new(echo, NULL, &tls);
    HttpServer *plain = http_server_new(say, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", NULL);
    g_autofree char *url = g_strdup_printf("https%s", http_server_url(plain) + strlen("http"));
    HttpOptions options = { .ca_file = zoo->ca };
    g_autoptr(HttpClient) client = client_new(&options);

    assert_fails(client, http_server_url(old), BS_ERROR_DENIED, "TLS is refused");
    http_server_free(plain);
    http_server_free(old);
}

static void large_bodies_go_through_tls(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    HttpServerTls tls = { .cert = zoo->good };
    HttpServer *server = http_server_new(echo, NULL, &tls);
    HttpOptions options = { .ca_file = zoo->ca };
    g_autoptr(HttpClient) client = client_new(&options);
    size_t len = 5000001;
    g_autofree uint8_t *body = g_malloc(len), *back = g_malloc(len);
    HttpRequest request = { .method = "PUT",
                            .url = http_server_url(server),
                            .body = body,
                            .body_len = len,
                            .into = back,
                            .into_len = len };
    g_autoptr(GError) error = NULL;
    g_auto(HttpReply) reply = { 0 };

    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)(i * 2654435761u >> 13);
    http_request(client, &request, &reply, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(reply.body_len, ==, len);
    g_assert_true(memcmp(body, back, len) == 0);
    assert_status(client, http_server_url(server), 200);
    g_assert_cmpuint(http_server_n_connections(server), ==, 1);
    http_server_free(server);
}

static void looks_at_its_files_first(Zoo *zoo, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *missing = g_build_filename(zoo->dir, "missing", NULL);
    g_autofree char *empty = g_build_filename(zoo->dir, "empty", NULL);
    const HttpOptions cases[] = {
        { .ca_file = missing },   { .ca_file = empty },    { .client_cert = missing },
        { .client_cert = empty }, { .ca_file = zoo->dir },
    };

    tempdir_write(zoo->dir, "empty", "", 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        HttpClient *client = NULL;

        g_assert_false(http_client_new(&cases[i], &client, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, zoo->dir));
        g_assert_null(client);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/http/carries bodies and headers", carries_bodies_and_headers);
    g_test_add_func("/http/sends empty bodies with a length", sends_empty_bodies_with_a_length);
    g_test_add_func("/http/gives every whole answer", gives_every_whole_answer);
    g_test_add_func("/http/asks for heads", asks_for_heads);
    g_test_add_func("/http/puts bodies where they are wanted", puts_bodies_where_they_are_wanted);
    g_test_add_func("/http/bodies of errors go elsewhere", bodies_of_errors_go_elsewhere);
    g_test_add_func("/http/bounds are kept", bounds_are_kept);
    g_test_add_func("/http/headers have a bound", headers_have_a_bound);
    g_test_add_func("/http/takes no more than was asked for", takes_no_more_than_was_asked_for);
    g_test_add_func("/http/connections are kept", connections_are_kept);
    g_test_add_func("/http/hosts do not take each other's connections",
                    hosts_do_not_take_each_others_connections);
    g_test_add_func("/http/a dead connection is replaced", a_dead_connection_is_replaced);
    g_test_add_func("/http/what is no HTTP is transient", what_is_no_http_is_transient);
    g_test_add_func("/http/cut answers are transient", cut_answers_are_transient);
    g_test_add_func("/http/early refusals are heard", early_refusals_are_heard);
    g_test_add_func("/http/silence is transient", silence_is_transient);
    g_test_add_func("/http/a trickle is transient", a_trickle_is_transient);
    g_test_add_func("/http/cancel ends a request", cancel_ends_a_request);
    g_test_add_func("/http/nobody there is transient", nobody_there_is_transient);
    g_test_add_func("/http/refuses what it cannot send", refuses_what_it_cannot_send);
    g_test_add_func("/http/proxies come from the environment", proxies_come_from_the_environment);
    g_test_add_func("/http/says when to come back", says_when_to_come_back);
#define TLS_TEST(fact, run) g_test_add("/http/tls/" fact, Zoo, NULL, zoo_set_up, run, zoo_tear_down)
    TLS_TEST("trusts our authority only", trusts_our_authority_only);
    TLS_TEST("shows its certificate", shows_its_certificate);
    TLS_TEST("refuses old and no TLS", refuses_old_and_no_tls);
    TLS_TEST("large bodies go through", large_bodies_go_through_tls);
    TLS_TEST("looks at its files first", looks_at_its_files_first);
    return g_test_run();
}
