/* SPDX-License-Identifier: Apache-2.0 */
/* The server against bytes on a socket, as no well-behaved client would send them. */
#include "daemon/webserver.h"

#include "base/error.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Tells what it was asked; /pipe and /cut answer through a pipe. */
static void serve(G_GNUC_UNUSED void *user, unsigned worker, WebRequest *request, WebAnswer *answer)
{
    g_autofree char *path = g_strjoinv("|", request->segments), *text = NULL;

    g_assert_cmpuint(worker, <, WEB_WORKERS);
    if (request->refusal) {
        web_answer_text(answer, request->refusal_status, "text/plain", request->refusal);
        return;
    }
    if (g_str_equal(path, "pipe") || g_str_equal(path, "cut")) {
        answer->status = 200;
        answer->pipe = web_pipe_new(1000);
        g_assert_true(web_pipe_put(answer->pipe, "piped", 5));
        web_pipe_end(answer->pipe, g_str_equal(path, "pipe"));
        return;
    }
    text =
        g_strdup_printf("[%s %s %u %s]", request->method, path, request->body->len, request->peer);
    web_answer_text(answer, 200, "text/plain", text);
}

static WebServer *start(void)
{
    const WebServerSettings settings = { .listen = "127.0.0.1:0", .serve = serve };
    WebServer *server = web_server_start(&settings, NULL);

    g_assert_nonnull(server);
    return server;
}

/* Everything the server says to these bytes, until it closes or `until` came. */
static char *talk(const WebServer *server, const char *bytes, const char *until)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)web_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    g_autoptr(GString) said = g_string_new(NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char part[4096];
    ssize_t n;

    g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
    (void)send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
    while (!(until && strstr(said->str, until)) && (n = recv(fd, part, sizeof part, 0)) > 0)
        g_string_append_len(said, part, n);
    (void)close(fd);
    return g_string_free(g_steal_pointer(&said), FALSE);
}

#define HOST  "Host: x\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static void requests_are_understood_or_refused(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *long_header = g_strnfill(20000, 'h');
    g_autofree char *huge =
        g_strconcat("GET / HTTP/1.1\r\n" HOST "X: ", long_header, "\r\n" CLOSE, NULL);
    const struct {
        const char *label, *bytes, *status, *holds;
    } cases[] = {
        { "a path", "GET /a/b%20c HTTP/1.1\r\n" HOST CLOSE, " 200 ", "[GET a|b c 0 127.0.0.1]" },
        { "a body", "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" CLOSE "abc", " 200 ",
          "[POST a 3 127.0.0.1]" },
        { "a body of an unknown length",
          "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CLOSE
          "3\r\nabc\r\n0\r\n\r\n",
          " 411 ", "" },
        { "a body that is too large",
          "POST /a HTTP/1.1\r\n" HOST "Content-Length: 999999\r\n" CLOSE, " 413 ", "" },
        { "a length below zero", "POST /a HTTP/1.1\r\n" HOST "Content-Length: -3\r\n" CLOSE,
          " 400 ", "" },
        { "two lengths",
          "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 3\r\n" CLOSE "abc",
          " 400 ", "" },
        { "a way out", "GET /a/../../etc/passwd HTTP/1.1\r\n" HOST CLOSE, " 400 ", "" },
        { "a hidden way out", "GET /%2e%2e/%2e%2e/etc HTTP/1.1\r\n" HOST CLOSE, " 400 ", "" },
        { "no host", "GET / HTTP/1.1\r\n" CLOSE, " 400 ", "" },
        { "a proxy's form", "GET http://x/a HTTP/1.1\r\n" HOST CLOSE, " 400 ", "" },
        { "headers without end", huge, " 431 ", "" },
        { "bytes from a pipe", "GET /pipe HTTP/1.1\r\n" HOST CLOSE, " 200 ", "piped" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *said = talk(server, cases[i].bytes, NULL);

        g_test_message("%s: %s", cases[i].label, said);
        g_assert_true(g_str_has_prefix(said, "HTTP/1.1"));
        g_assert_nonnull(strstr(said, cases[i].status));
        g_assert_nonnull(strstr(said, cases[i].holds));
    }
}

/* What follows a refused request may be a part of it, so it is not served. */
static void nothing_is_smuggled_behind_a_refused_request(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *said =
        talk(server,
             "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 40\r\n\r\n"
             "GET /smuggled HTTP/1.1\r\n" HOST CLOSE,
             NULL);

    g_assert_nonnull(strstr(said, " 400 "));
    g_assert_null(strstr(said, "smuggled"));
}

static void a_connection_takes_several_requests(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *said = talk(server,
                                 "GET /one HTTP/1.1\r\n" HOST "\r\nHEAD /two HTTP/1.1\r\n" HOST
                                 "\r\nGET /three HTTP/1.1\r\n" HOST CLOSE,
                                 NULL);

    g_assert_nonnull(strstr(said, "[GET one 0 127.0.0.1]"));
    g_assert_null(strstr(said, "[GET two"));
    g_assert_nonnull(strstr(said, "[GET three"));
}

/* Whoever reads must see that there is more than he got: the last chunk does not come. */
static void what_ends_early_has_no_end(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *whole = talk(server, "GET /pipe HTTP/1.1\r\n" HOST "\r\n", "\r\n0\r\n");
    g_autofree char *cut = talk(server, "GET /cut HTTP/1.1\r\n" HOST "\r\n", NULL);

    g_assert_nonnull(strstr(whole, "piped"));
    g_assert_nonnull(strstr(cut, "piped"));
    g_assert_null(strstr(cut, "\r\n0\r\n"));
}

static void without_tls_only_this_machine_is_served(void)
{
    static const struct {
        const char *listen;
        int code; // -1: it works
    } cases[] = {
        { "127.0.0.1:0", -1 },
        { "localhost:0", -1 },
        { "0.0.0.0:0", BS_ERROR_CONFIG },
        { "[::]:0", BS_ERROR_CONFIG },
        { "192.0.2.1:0", BS_ERROR_CONFIG },
        { "127.0.0.1", BS_ERROR_CONFIG },
        { "127.0.0.1:65536", BS_ERROR_CONFIG },
        { "example.org:80", BS_ERROR_CONFIG },
        { ":80", BS_ERROR_CONFIG },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const WebServerSettings settings = { .listen = cases[i].listen, .serve = serve };
        g_autoptr(GError) error = NULL;
        g_autoptr(WebServer) server = web_server_start(&settings, &error);

        g_test_message("%s: %s", cases[i].listen, error ? error->message : "works");
        g_assert_cmpint(server ? -1 : error->code, ==, cases[i].code);
    }
}

static void two_do_not_share_a_port(void)
{
    g_autoptr(WebServer) first = start();
    g_autofree char *same = g_strdup_printf("127.0.0.1:%u", web_server_port(first));
    const WebServerSettings settings = { .listen = same, .serve = serve };
    g_autoptr(GError) error = NULL;

    g_assert_null(web_server_start(&settings, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

typedef struct {
    atomic_uint n[WEB_WORKERS];
} Rests;

static void count_rest(void *user, unsigned worker)
{
    atomic_fetch_add(&((Rests *)user)->n[worker], 1);
}

static unsigned sum(Rests *rests)
{
    unsigned all = 0;

    for (unsigned i = 0; i < WEB_WORKERS; i++)
        all += atomic_load(&rests->n[i]);
    return all;
}

static void wait_for_rests(Rests *rests, unsigned n)
{
    for (int i = 0; i < 3000 && sum(rests) < n; i++)
        g_usleep(100 * 1000);
    g_assert_cmpuint(sum(rests), ==, n);
}

static void workers_rest_once_until_they_have_served(void)
{
    Rests rests = { 0 };
    const WebServerSettings settings = {
        .listen = "127.0.0.1:0", .serve = serve, .rest = count_rest, .user = &rests
    };
    g_autoptr(WebServer) server = web_server_start(&settings, NULL);
    g_autofree char *said = NULL;

    g_assert_nonnull(server);
    wait_for_rests(&rests, WEB_WORKERS);
    said = talk(server, "GET /a HTTP/1.1\r\n" HOST CLOSE, NULL);
    g_assert_nonnull(strstr(said, " 200 "));
    wait_for_rests(&rests, WEB_WORKERS + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webserver/requests-are-understood-or-refused",
                    requests_are_understood_or_refused);
    g_test_add_func("/daemon/webserver/nothing-is-smuggled-behind-a-refused-request",
                    nothing_is_smuggled_behind_a_refused_request);
    g_test_add_func("/daemon/webserver/a-connection-takes-several-requests",
                    a_connection_takes_several_requests);
    g_test_add_func("/daemon/webserver/what-ends-early-has-no-end", what_ends_early_has_no_end);
    g_test_add_func("/daemon/webserver/without-tls-only-this-machine-is-served",
                    without_tls_only_this_machine_is_served);
    g_test_add_func("/daemon/webserver/two-do-not-share-a-port", two_do_not_share_a_port);
    g_test_add_func("/daemon/webserver/workers-rest-once-until-they-have-served",
                    workers_rest_once_until_they_have_served);
    return g_test_run();
}
