/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redis.h"

#include "base/error.h"
#include "lib/certificates.h"
#include "lib/redis_server.h"
#include "lib/tempdir.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define STALL_MS 300

static RedisConn *try(const char *text, const RedisOptions *options, GError **error)
{
    g_autoptr(RedisUrl) url = redis_url_parse(text, NULL);

    g_assert_nonnull(url);
    return redis_connect(url, options, error);
}

static RedisConn *connected(const char *text, const RedisOptions *options)
{
    g_autoptr(GError) error = NULL;
    RedisConn *conn = try(text, options, &error);

    g_assert_no_error(error);
    return conn;
}

static void assert_refused(const char *text, const RedisOptions *options, int code,
                           const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(try(text, options, &error));
    g_test_message("%s: %s", text, error->message);
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
    g_assert_null(strstr(error->message, "hunter2"));
}

static RedisReply *ask(RedisConn *conn, const char *const *words)
{
    g_autoptr(GError) error = NULL;
    RedisReply *reply = NULL;

    redis_ask(conn, words, &reply, &error);
    g_assert_no_error(error);
    return reply;
}
#define ASK(conn, ...) ask(conn, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_denied(RedisConn *conn, const char *const *words, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(redis_ask(conn, words, NULL, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
}
#define ASSERT_DENIED(conn, code, part, ...)                                                       \
    assert_denied(conn, (const char *const[]){ __VA_ARGS__, NULL }, code, part)

/* ---- a real server ---- */

static void carries_commands_and_replies(void)
{
    RedisServer *server = redis_server_start(NULL);
    g_autofree char *url = g_strconcat(server->url, "?db=3", NULL);
    g_autoptr(RedisConn) conn = connected(url, NULL);
    size_t len = 3000001;
    g_autofree char *big = g_malloc(len);
    const RedisArg set[] = { { "SET", 3 }, { "k\0\r\n", 4 }, { big, len } };
    const RedisArg get[] = { { "GET", 3 }, { "k\0\r\n", 4 } };
    g_autoptr(RedisReply) value = NULL, nothing = NULL, number = NULL, mixed = NULL, keys = NULL;

    for (size_t i = 0; i < len; i++)
        big[i] = (char)(i * 2654435761u >> 13);
    g_assert_true(redis_command(conn, set, 3, NULL, NULL));
    g_assert_true(redis_command(conn, get, 2, &value, NULL));
    g_assert_cmpint(value->type, ==, REDIS_TEXT);
    g_assert_cmpmem(value->text, value->len, big, len);
    nothing = ASK(conn, "GET", "none");
    g_assert_cmpint(nothing->type, ==, REDIS_NIL);
    number = ASK(conn, "DECRBY", "n", "9000000000");
    g_assert_cmpint(number->integer, ==, -9000000000);
    mixed = ASK(conn, "EVAL",
                "return {1, {'a', false}, redis.status_reply('S'), "
                "redis.error_reply('E x')}",
                "0");
    g_assert_cmpuint(mixed->n_items, ==, 4);
    g_assert_cmpstr(mixed->items[1]->items[0]->text, ==, "a");
    g_assert_cmpint(mixed->items[1]->items[1]->type, ==, REDIS_NIL);
    g_assert_cmpstr(mixed->items[2]->text, ==, "S");
    g_assert_cmpint(mixed->items[3]->type, ==, REDIS_FAILURE);
    keys = ASK(conn, "DBSIZE");
    g_assert_cmpint(keys->integer, ==, 2);
    redis_server_stop(server);
}

static void goes_on_after_an_error(void)
{
    RedisServer *server = redis_server_start("user none on >hunter2 ~* -@all +get\n");
    g_autofree char *url = g_strdup_printf("redis://none:hunter2@%s", server->socket);
    g_autoptr(RedisConn) conn = connected(server->url, NULL);
    g_autoptr(RedisConn) weak = connected(url, NULL); // PING is denied to it
    g_autoptr(RedisReply) reply = NULL;

    ASSERT_DENIED(conn, BS_ERROR_UNSUPPORTED, "unknown command", "NOSUCH", "hunter2");
    ASSERT_DENIED(conn, BS_ERROR_FAILED, "wrong number", "GET");
    ASSERT_DENIED(conn, BS_ERROR_NOT_FOUND, "NOSCRIPT", "EVALSHA",
                  "0000000000000000000000000000000000000000", "0");
    ASSERT_DENIED(weak, BS_ERROR_DENIED, "NOPERM", "SYNC");
    reply = ASK(weak, "GET", "x");
    g_assert_cmpint(reply->type, ==, REDIS_NIL);
    redis_server_stop(server);
}

static void says_who_is_refused(void)
{
    RedisServer *server = redis_server_start("requirepass right\nuser app on >right ~* +@all\n"
                                             "databases 4\nport %u\n");
    g_autofree char *none = g_strdup_printf("redis://127.0.0.1:%u", server->port);
    g_autofree char *wrong = g_strdup_printf("redis://:hunter2@127.0.0.1:%u", server->port);
    g_autofree char *nobody = g_strdup_printf("redis://who:hunter2@127.0.0.1:%u", server->port);
    g_autofree char *app = g_strdup_printf("redis://app:right@127.0.0.1:%u/3", server->port);
    g_autofree char *beyond = g_strdup_printf("redis://app:right@127.0.0.1:%u/4", server->port);
    g_autoptr(RedisConn) conn = connected(app, NULL);
    g_autoptr(RedisReply) reply = ASK(conn, "ACL", "WHOAMI");

    g_assert_cmpstr(reply->text, ==, "app");
    assert_refused(none, NULL, BS_ERROR_AUTH, "NOAUTH");
    assert_refused(wrong, NULL, BS_ERROR_AUTH, "WRONGPASS");
    assert_refused(nobody, NULL, BS_ERROR_AUTH, "login as who");
    assert_refused(beyond, NULL, BS_ERROR_NOT_FOUND, "database 4");
    redis_server_kill(server);
    assert_refused(app, NULL, BS_ERROR_UNREACHABLE, "connect");
    ASSERT_DENIED(conn, BS_ERROR_UNREACHABLE, "127.0.0.1", "PING");
    redis_server_stop(server);
}

static void says_that_no_connection_is_free(void)
{
    RedisServer *server = redis_server_start("maxclients 3\n");
    g_autoptr(GPtrArray) conns = g_ptr_array_new_with_free_func((GDestroyNotify)redis_conn_free);
    g_autoptr(GError) error = NULL;

    while (!error && conns->len < 4)
        g_ptr_array_add(conns, try(server->url, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_nonnull(strstr(error->message, "max number of clients"));
    redis_server_stop(server);
}

static void waits_for_no_loading_server(void)
{
    RedisServer *server = redis_server_start(NULL);

    g_free(redis_server_cli(server, "EVAL 'for i=1,20000 do redis.call(\"SET\",i,i) end' 0"));
    g_free(redis_server_cli(server, "SAVE"));
    redis_server_kill(server);
    redis_server_again(server,
                       "key-load-delay 20000\nloading-process-events-interval-bytes 1024\n");
    assert_refused(server->url, NULL, BS_ERROR_UNREACHABLE, "LOADING");
    redis_server_stop(server);
}

static void speaks_tls(void)
{
    char *dir = tempdir_new();
    g_autofree char *ca = certificate_authority(dir, "ca"),
                    *other = certificate_authority(dir, "o");
    g_autofree char *good = certificate_new(dir, "good", ca, "IP:127.0.0.1", 2);
    g_autofree char *configuration =
        g_strdup_printf("tls-port %%u\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n"
                        "tls-auth-clients optional\nrequirepass hunter2\n",
                        good, good, ca);
    RedisServer *server = redis_server_start(configuration);
    g_autofree char *plain = g_strdup_printf("redis://:hunter2@127.0.0.1:%u", server->port);
    g_autofree char *tls = g_strdup_printf("rediss://:hunter2@127.0.0.1:%u", server->port);
    g_autofree char *own = g_strdup_printf("%s?cacert=%s&cert=%s", tls, ca, good);
    g_autofree char *named = g_strdup_printf("%s?cacert=%s&sni=db1", tls, ca);
    g_autofree char *unread = g_strdup_printf("%s?cacert=%s/none", tls, dir);
    RedisOptions trust = { .ca_file = ca }, distrust = { .ca_file = other };
    g_autoptr(RedisConn) conn = connected(tls, &trust);
    g_autoptr(RedisConn) mutual = connected(own, &distrust);
    g_autoptr(RedisReply) reply = ASK(mutual, "ECHO", "x");
    g_autofree char *big = g_strnfill(2000000, 'x');
    g_autoptr(RedisReply) echo = ASK(conn, "ECHO", big);

    g_assert_cmpstr(reply->text, ==, "x");
    g_assert_cmpstr(echo->text, ==, big);
    assert_refused(tls, NULL, BS_ERROR_DENIED, "certificate");
    assert_refused(tls, &distrust, BS_ERROR_DENIED, "certificate");
    assert_refused(named, NULL, BS_ERROR_DENIED, "certificate");
    assert_refused(unread, NULL, BS_ERROR_USAGE, "none");
    assert_refused(plain, NULL, BS_ERROR_UNREACHABLE, "127.0.0.1");
    redis_server_stop(server);
    tempdir_remove(dir);
}

static void bounds_replies(void)
{
    RedisServer *server = redis_server_start(NULL);
    RedisOptions options = { .reply_max = 1 << 20 };
    g_autoptr(RedisConn) conn = connected(server->url, &options);
    g_autofree char *big = g_strnfill(2 << 20, 'x');

    ASSERT_DENIED(conn, BS_ERROR_CORRUPT, "1048576 bytes", "ECHO", big);
    redis_server_stop(server);
}

static void pipelines(void)
{
    enum { N = 5000 };
    RedisServer *server = redis_server_start(NULL);
    g_autoptr(RedisConn) conn = connected(server->url, NULL);
    g_autofree char *value = g_strnfill(300, 'v');
    g_autoptr(RedisReply) long_one = NULL;

    for (unsigned i = 0; i < N; i++) {
        const RedisArg args[] = { { "RPUSH", 5 }, { "list", 4 }, { value, i % 300 } };

        g_assert_true(redis_send(conn, args, 3, NULL));
    }
    for (unsigned i = 0; i < N; i++) {
        g_autoptr(RedisReply) reply = NULL;

        g_assert_true(redis_receive(conn, &reply, NULL));
        g_assert_cmpint(reply->integer, ==, i + 1);
    }
    g_assert_true(redis_begin(conn, 2, NULL) && redis_arg(conn, "ECHO", 4, NULL) &&
                  redis_long_arg(conn, 900, NULL));
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(redis_long_piece(conn, value, 300, NULL));
    g_assert_true(redis_long_end(conn, NULL) && redis_receive(conn, &long_one, NULL));
    g_assert_cmpuint(long_one->len, ==, 900);
    redis_server_stop(server);
}

static void reads_raw_what_follows_a_reply(void)
{
    RedisServer *server = redis_server_start("repl-diskless-sync no\n");
    g_autoptr(RedisConn) conn = connected(server->url, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *line = NULL;
    const RedisArg sync[] = { { "SYNC", 4 } };
    char magic[9];

    g_assert_true(redis_send(conn, sync, 1, NULL));
    redis_read_line(conn, &line, &error);
    g_assert_no_error(error);
    g_assert_true(*line == '$' && g_ascii_strtoull(line + 1, NULL, 10) > 9);
    for (size_t n = 0; n < sizeof magic;) {
        ssize_t got = redis_read_raw(conn, magic + n, sizeof magic - n, NULL);

        g_assert_cmpint(got, >, 0);
        n += (size_t)got;
    }
    g_assert_cmpmem(magic, 9, "REDIS0010", 9);
    redis_server_stop(server);
}

/* ---- a server that is none ---- */

typedef struct {
    const char *text; /* what it says, whatever it hears; NULL: nothing */
    size_t repeat;    /* so often */
    bool close;       /* and then ends, else it stays silent */
    int listener;
    unsigned port;
    pthread_t thread;
} Impostor;

static void *impostor_main(void *arg)
{
    Impostor *impostor = arg;
    int fd = accept(impostor->listener, NULL, NULL);
    char heard[4096];

    (void)recv(fd, heard, sizeof heard, 0);
    for (size_t i = 0; impostor->text && i <= impostor->repeat; i++)
        if (send(fd, impostor->text, strlen(impostor->text), MSG_NOSIGNAL) < 0)
            break;
    if (impostor->close)
        (void)shutdown(fd, SHUT_WR);
    while (recv(fd, heard, sizeof heard, 0) > 0)
        ;
    (void)close(fd);
    return NULL;
}

static void impostor_start(Impostor *impostor)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;

    impostor->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(impostor->listener, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(impostor->listener, 1), ==, 0);
    g_assert_cmpint(getsockname(impostor->listener, (struct sockaddr *)&address, &len), ==, 0);
    impostor->port = ntohs(address.sin_port);
    g_assert_cmpint(pthread_create(&impostor->thread, NULL, impostor_main, impostor), ==, 0);
}

static void impostor_end(Impostor *impostor)
{
    g_assert_cmpint(pthread_join(impostor->thread, NULL), ==, 0);
    (void)close(impostor->listener);
}

static void refuses_hostile_answers(void)
{
    static const struct {
        const char *label, *text;
        size_t repeat;
        bool close;
        int code;
        const char *part;
    } cases[] = {
        { "not Redis", "HTTP/1.1 400 Bad Request\r\n\r\n", 0, true, BS_ERROR_CORRUPT, "no Redis" },
        { "a huge array", "*2147483647\r\n", 0, false, BS_ERROR_CORRUPT, "parts" },
        { "arrays without end", "*200000\r\n", 99, false, BS_ERROR_CORRUPT, "no Redis" },
        { "a negative array", "*-7\r\n", 0, false, BS_ERROR_CORRUPT, "no Redis" },
        { "many parts", "*262144\r\n*262144\r\n:1\r\n:1\r\n:1\r\n:1\r\n", 200000, true,
          BS_ERROR_CORRUPT, "" },
        { "a bulk that is cut", "$100\r\nabc", 0, true, BS_ERROR_UNREACHABLE, "ended" },
        { "a bulk beyond the bound", "$90000000\r\nabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc",
          100000, true, BS_ERROR_CORRUPT, "1048576" },
        { "a length beyond any", "$99999999999999999999\r\n", 0, true, BS_ERROR_CORRUPT,
          "no Redis" },
        { "a line without end", "+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 100000,
          true, BS_ERROR_CORRUPT, "1048576" },
        { "nothing", NULL, 0, true, BS_ERROR_UNREACHABLE, "ended" },
        { "silence", NULL, 0, false, BS_ERROR_UNREACHABLE, "no answer in time" },
        { "our password", "-ERR unknown command `AUTH`, with args beginning with: `hunter2`\r\n", 0,
          true, BS_ERROR_AUTH, "unknown command" },
        { "terminal codes", "-ERR \033[2J\007\r\n", 0, true, BS_ERROR_AUTH, "server: ERR" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Impostor impostor = { cases[i].text, cases[i].repeat, cases[i].close };
        // who says something is waited for, however busy this machine is
        bool silent = !cases[i].text && !cases[i].close;
        RedisOptions options = { .stall_ms = silent ? STALL_MS : 60000, .reply_max = 1 << 20 };
        g_autofree char *url = NULL;

        g_test_message("%s", cases[i].label);
        impostor_start(&impostor);
        url = g_strdup_printf("redis://:hunter2@127.0.0.1:%u", impostor.port);
        assert_refused(url, &options, cases[i].code, cases[i].part);
        impostor_end(&impostor);
    }
}

static void finds_no_tls_where_there_is_none(void)
{
    Impostor impostor = { .text = "-ERR what?\r\n", .close = true };
    g_autofree char *url = NULL;

    impostor_start(&impostor);
    url = g_strdup_printf("rediss://:hunter2@127.0.0.1:%u", impostor.port);
    assert_refused(url, NULL, BS_ERROR_UNREACHABLE, "TLS");
    impostor_end(&impostor);
}

static void *cancel_soon(void *cancel)
{
    g_usleep(100 * 1000);
    cancel_set(cancel);
    return NULL;
}

static void ends_a_wait_when_cancelled(void)
{
    Impostor impostor = { 0 };
    g_autoptr(Cancel) cancel = cancel_new();
    RedisOptions options = { .cancel = cancel };
    g_autofree char *url = NULL;
    pthread_t thread;

    impostor_start(&impostor);
    url = g_strdup_printf("redis://127.0.0.1:%u", impostor.port);
    g_assert_cmpint(pthread_create(&thread, NULL, cancel_soon, cancel), ==, 0);
    assert_refused(url, &options, BS_ERROR_CANCELLED, "interrupted");
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
    impostor_end(&impostor);
}

static void says_where_nobody_is(void)
{
    assert_refused("redis://127.0.0.1:1", NULL, BS_ERROR_UNREACHABLE, "127.0.0.1:1: connect");
    assert_refused("redis:///nowhere/sock", NULL, BS_ERROR_UNREACHABLE, "/nowhere/sock");
    assert_refused("redis://no-such-host.invalid", NULL, BS_ERROR_UNREACHABLE, "no-such-host");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("REDISCLI_AUTH");
    (void)signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/redis/carries-commands-and-replies", carries_commands_and_replies);
    g_test_add_func("/redis/goes-on-after-an-error", goes_on_after_an_error);
    g_test_add_func("/redis/says-who-is-refused", says_who_is_refused);
    g_test_add_func("/redis/says-that-no-connection-is-free", says_that_no_connection_is_free);
    g_test_add_func("/redis/waits-for-no-loading-server", waits_for_no_loading_server);
    g_test_add_func("/redis/speaks-tls", speaks_tls);
    g_test_add_func("/redis/bounds-replies", bounds_replies);
    g_test_add_func("/redis/pipelines", pipelines);
    g_test_add_func("/redis/reads-raw-what-follows-a-reply", reads_raw_what_follows_a_reply);
    g_test_add_func("/redis/refuses-hostile-answers", refuses_hostile_answers);
    g_test_add_func("/redis/finds-no-tls-where-there-is-none", finds_no_tls_where_there_is_none);
    g_test_add_func("/redis/ends-a-wait-when-cancelled", ends_a_wait_when_cancelled);
    g_test_add_func("/redis/says-where-nobody-is", says_where_nobody_is);
    return g_test_run();
}
