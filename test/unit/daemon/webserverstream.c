/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that the server takes in pieces: whole, refused, failing on their way, cut off. */
#include "daemon/webserver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEN  (3 * WEB_PIECE + 7)
#define HOST "Host: x\r\n"

static atomic_uint pieces, cuts, freed;

typedef struct {
    GChecksum *sum;
    size_t len;
} Taken;

static void taken_free(void *data)
{
    Taken *taken = data;

    g_checksum_free(taken->sum);
    g_free(taken);
    freed++;
}

static void take(const WebRequest *request, WebAnswer *answer)
{
    Taken *taken = answer->intake;

    g_assert_cmpuint(request->body->len, <, WEB_PIECE + WEB_HEAD_MAX);
    g_checksum_update(taken->sum, request->body->data, request->body->len);
    taken->len += request->body->len;
}

static void end(const WebRequest *request, WebAnswer *answer)
{
    Taken *taken = answer->intake;
    g_autofree char *text = NULL;

    take(request, answer);
    text = g_strdup_printf("[%zu %s]", taken->len, g_checksum_get_string(taken->sum));
    web_answer_end_intake(answer);
    web_answer_text(answer, 200, "text/plain", text);
}

static void serve(G_GNUC_UNUSED void *user, G_GNUC_UNUSED unsigned worker, WebRequest *request,
                  WebAnswer *answer)
{
    const char *path = request->segments[0];
    Taken *taken;

    switch (request->phase) {
    case WEB_PHASE_ALL:
        web_answer_text(answer, 200, "text/plain", "[small]");
        break;
    case WEB_PHASE_HEAD:
        g_assert_cmpuint(request->body->len, ==, 0);
        if (request->refusal || g_str_equal(path, "refused")) {
            web_answer_text(answer, request->refusal ? request->refusal_status : 403, "text/plain",
                            "[no]");
            break;
        }
        taken = g_new0(Taken, 1);
        taken->sum = g_checksum_new(G_CHECKSUM_SHA256);
        answer->intake = taken;
        answer->intake_free = taken_free;
        break;
    case WEB_PHASE_PIECE:
        pieces++;
        take(request, answer);
        if (g_str_equal(path, "fails")) {
            web_answer_end_intake(answer);
            web_answer_text(answer, 507, "text/plain", "[full]");
        }
        break;
    case WEB_PHASE_END:
        end(request, answer);
        break;
    case WEB_PHASE_CUT:
        cuts++;
        break;
    }
}

static bool streams(G_GNUC_UNUSED void *user, const WebRequest *request)
{
    return request->segments[0] && !g_str_equal(request->segments[0], "small");
}

static WebServer *start_with(uint64_t slowest)
{
    const WebServerSettings settings = {
        .slowest = slowest,
        .listen = "127.0.0.1:0",
        .serve = serve,
        .streams = streams,
    };
    WebServer *server = web_server_start(&settings, NULL);

    g_assert_nonnull(server);
    pieces = cuts = freed = 0;
    return server;
}

static WebServer *start(void)
{
    return start_with(0);
}

static int dial(const WebServer *server)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)web_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof to), ==, 0);
    return fd;
}

static void say(int fd, const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t n = send(fd, data + at, len - at, MSG_NOSIGNAL);

        g_assert_cmpint(n, >, 0);
        at += (size_t)n;
    }
}

static void say_head(int fd, const char *path, size_t len, const char *more)
{
    g_autofree char *head = g_strdup_printf("POST /%s HTTP/1.1\r\n" HOST "%sContent-Length: %zu"
                                            "\r\n\r\n",
                                            path, more, len);

    say(fd, head, strlen(head));
}

/* What comes until `until` did, or the connection ends. */
static char *hear(int fd, const char *until)
{
    g_autoptr(GString) said = g_string_new(NULL);
    char part[4096];
    ssize_t n;

    while (!strstr(said->str, until) && (n = recv(fd, part, sizeof part, 0)) > 0)
        g_string_append_len(said, part, n);
    return g_string_free(g_steal_pointer(&said), FALSE);
}

static char *body_new(void)
{
    char *body = g_malloc(LEN);

    for (size_t i = 0; i < LEN; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    return body;
}

static void wait_for(atomic_uint *what, unsigned n)
{
    for (int i = 0; i < 30000 && *what < n; i++)
        g_usleep(10000);
    g_assert_cmpuint(*what, ==, n);
}

static void a_file_comes_whole(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *body = body_new();
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)body, LEN);
    g_autofree char *want = g_strdup_printf("[%u %s]", (unsigned)LEN, sum);
    g_autofree char *said = NULL, *asked = NULL, *next = NULL;
    int fd = dial(server);

    say_head(fd, "file", LEN, "Expect: 100-continue\r\n");
    asked = hear(fd, "\r\n\r\n");
    g_assert_nonnull(strstr(asked, " 100 "));
    say(fd, body, LEN);
    said = hear(fd, "]");
    g_assert_nonnull(strstr(said, " 200 "));
    g_assert_nonnull(strstr(said, want));
    g_assert_cmpuint(pieces, >=, 2);
    g_assert_cmpuint(freed, ==, 1);
    // and the connection goes on
    say_head(fd, "small", 0, "");
    next = hear(fd, "]");
    g_assert_nonnull(strstr(next, "[small]"));
    (void)close(fd);
}

static void a_small_file_comes_at_once(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *said = NULL;
    const char whole[] = "POST /file HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    int fd = dial(server);

    say(fd, whole, strlen(whole));
    said = hear(fd, "]");
    g_assert_nonnull(strstr(said, "[3 ba7816bf"));
    g_assert_cmpuint(pieces, ==, 0);
    (void)close(fd);
}

/* RFC 9112, section 7.1. */
static void what_comes_in_chunks_is_taken(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *body = body_new();
    g_autofree char *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)body, LEN);
    g_autofree char *want = g_strdup_printf("[%u %s]", (unsigned)LEN, sum), *said = NULL;
    g_autofree char *next = NULL, *empty = NULL;
    const char head[] = "POST /file HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    int fd = dial(server);

    say(fd, head, strlen(head));
    for (size_t at = 0; at < LEN;) {
        const size_t n = MIN(LEN - at, 700001);
        g_autofree char *size = g_strdup_printf("%zx\r\n", n);

        say(fd, size, strlen(size));
        say(fd, body + at, n);
        say(fd, "\r\n", 2);
        at += n;
    }
    say(fd, "0\r\n\r\n", 5);
    said = hear(fd, "]");
    g_test_message("%s", said);
    g_assert_nonnull(strstr(said, want));
    g_assert_cmpuint(pieces, >=, 2);
    g_assert_cmpuint(freed, ==, 1);
    // and the connection goes on, also for one without a byte
    say(fd, head, strlen(head));
    say(fd, "0\r\n\r\n", 5);
    empty = hear(fd, "]");
    g_assert_nonnull(strstr(empty, "[0 e3b0c442"));
    say_head(fd, "small", 0, "");
    next = hear(fd, "]");
    g_assert_nonnull(strstr(next, "[small]"));
    (void)close(fd);
}

/* It is cut off when the next bytes come, however often they do. */
static void who_is_too_slow_is_cut_off(void)
{
    g_autoptr(WebServer) server = start_with(UINT64_C(1) << 50);
    g_autofree char *said = NULL;
    int fd = dial(server);

    say_head(fd, "file", LEN, "Expect: 100-continue\r\n");
    g_free(hear(fd, "\r\n\r\n"));
    g_usleep(100000);
    say(fd, "x", 1);
    said = hear(fd, "]");
    g_assert_cmpstr(said, ==, "");
    wait_for(&cuts, 1);
    wait_for(&freed, 1);
    (void)close(fd);
}

static void a_refused_one_is_not_waited_for(void)
{
    static const struct {
        const char *path, *more, *status;
    } cases[] = {
        { "refused", "", " 403 " },
        { "refused", "Expect: 100-continue\r\n", " 403 " },
        { "file", "Transfer-Encoding: chunked\r\n", " 411 " },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WebServer) server = start();
        g_autofree char *said = NULL;
        int fd = dial(server);

        say_head(fd, cases[i].path, LEN, cases[i].more);
        said = hear(fd, "]");
        g_test_message("%s", said);
        g_assert_true(g_str_has_prefix(said, "HTTP/1.1"));
        g_assert_nonnull(strstr(said, cases[i].status));
        g_assert_nonnull(strstr(said, "onnection: close"));
        (void)close(fd);
    }
}

static void what_fails_on_its_way_is_answered(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *body = body_new(), *said = NULL;
    int fd = dial(server);

    say_head(fd, "fails", LEN, "");
    say(fd, body, LEN);
    said = hear(fd, "]");
    g_assert_nonnull(strstr(said, " 507 "));
    g_assert_cmpuint(pieces, ==, 1);
    g_assert_cmpuint(freed, ==, 1);
    (void)close(fd);
}

static void what_is_cut_off_is_told(void)
{
    g_autoptr(WebServer) server = start();
    g_autofree char *body = body_new();

    for (unsigned i = 0; i < 3; i++) {
        static const size_t sent[] = { 0, 10, 2 * WEB_PIECE };
        int fd = dial(server);

        say_head(fd, "file", LEN, "Expect: 100-continue\r\n");
        g_free(hear(fd, "\r\n\r\n"));
        say(fd, body, sent[i]);
        // an end that comes with the last bytes is noticed only when nothing has come for a while
        g_usleep(200000);
        (void)close(fd);
        wait_for(&cuts, i + 1);
        wait_for(&freed, i + 1);
    }
}

static void a_server_that_stops_lets_go(void)
{
    g_autofree char *body = body_new();
    WebServer *server = start();
    int fd = dial(server);

    say_head(fd, "file", LEN, "");
    say(fd, body, WEB_PIECE + WEB_HEAD_MAX);
    wait_for(&pieces, 1);
    web_server_free(server);
    g_assert_cmpuint(freed, ==, 1);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webserverstream/a-file-comes-whole", a_file_comes_whole);
    g_test_add_func("/daemon/webserverstream/a-small-file-comes-at-once",
                    a_small_file_comes_at_once);
    g_test_add_func("/daemon/webserverstream/what-comes-in-chunks-is-taken",
                    what_comes_in_chunks_is_taken);
    g_test_add_func("/daemon/webserverstream/who-is-too-slow-is-cut-off",
                    who_is_too_slow_is_cut_off);
    g_test_add_func("/daemon/webserverstream/a-refused-one-is-not-waited-for",
                    a_refused_one_is_not_waited_for);
    g_test_add_func("/daemon/webserverstream/what-fails-on-its-way-is-answered",
                    what_fails_on_its_way_is_answered);
    g_test_add_func("/daemon/webserverstream/what-is-cut-off-is-told", what_is_cut_off_is_told);
    g_test_add_func("/daemon/webserverstream/a-server-that-stops-lets-go",
                    a_server_that_stops_lets_go);
    return g_test_run();
}
