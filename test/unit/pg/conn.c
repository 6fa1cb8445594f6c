/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"
#include "base/child.h"
#include "base/error.h"
#include "lib/pg_server.h"
#include "pg/passfile.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGIN "weak:s3%3Acr%5Cet%20%27%22x"

static PgServer *server;

static void query_gives_rows(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgUrl) url = pg_url_parse(server->url, NULL);
    g_autoptr(PgConn) conn = pg_connect_server(url, NULL, &error);
    const char *params[] = { "a'b", "2", NULL };
    g_autoptr(PgRows) rows = NULL;
    int64_t number;

    g_assert_no_error(error);
    g_assert_cmpint(pg_conn_version(conn), >=, 90600);
    g_assert_cmpstr(pg_conn_database(conn), ==, "postgres");
    rows = pg_query(conn, "SELECT $1::text, NULL, true FROM generate_series(1, $2::int)", params,
                    &error);
    g_assert_no_error(error);
    g_assert_cmpint(pg_rows_count(rows), ==, 2);
    g_assert_cmpstr(pg_rows_get(rows, 1, 0), ==, "a'b");
    g_assert_null(pg_rows_get(rows, 0, 1));
    g_assert_true(pg_rows_bool(rows, 0, 2));
    g_assert_true(pg_query_number(conn, "SELECT 5000000000", NULL, &number, &error));
    g_assert_cmpint(number, ==, 5000000000);
    g_assert_false(pg_exec(conn, "SELECT 1/0", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "division by zero"));
}

static void settings_of_the_role_do_not_matter(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = pg_server_tcp_url(server, LOGIN, "postgres");
    g_autoptr(PgUrl) url = pg_url_parse(text, NULL);
    g_autoptr(PgConn) conn = pg_connect(url, NULL, NULL, &error);
    g_autoptr(PgRows) rows = NULL;

    g_assert_no_error(error);
    rows = pg_query(conn,
                    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
                    " current_setting('idle_in_transaction_session_timeout'),"
                    " current_setting('search_path'), current_setting('application_name')",
                    NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(pg_rows_get(rows, 0, 0), ==, "0");
    g_assert_cmpstr(pg_rows_get(rows, 0, 1), ==, "0");
    g_assert_cmpstr(pg_rows_get(rows, 0, 2), ==, "0");
    g_assert_cmpstr(pg_rows_get(rows, 0, 3), ==, "\"\"");
    g_assert_cmpstr(pg_rows_get(rows, 0, 4), ==, "backstay");
}

static void failures_have_their_code(void)
{
    static const struct {
        const char *label, *login, *database;
        int code;
    } cases[] = {
        { "wrong password", "weak:wrong", "postgres", BS_ERROR_AUTH },
        { "no password", "weak", "postgres", BS_ERROR_AUTH },
        { "unknown role", "nobody:x", "postgres", BS_ERROR_AUTH },
        { "no such database", LOGIN, "missing", BS_ERROR_NOT_FOUND },
        { "nobody may connect", LOGIN, "closed", BS_ERROR_DENIED },
        { "connection limit 0", LOGIN, "limited", BS_ERROR_TRANSIENT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = pg_server_tcp_url(server, cases[i].login, cases[i].database);
        g_autoptr(PgUrl) url = pg_url_parse(text, NULL);

        g_test_message("%s", cases[i].label);
        g_assert_null(pg_connect(url, NULL, NULL, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_null(strstr(error->message, "s3"));
        g_assert_null(strstr(error->message, "wrong"));
    }
}

static void nobody_answers(void)
{
    static const char *const cases[] = {
        "postgresql://u@127.0.0.1:1/x",
        "postgresql://u@name.invalid/x",
        "postgresql:///x?host=/nonexistent",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgUrl) url = pg_url_parse(cases[i], NULL);

        g_assert_null(pg_connect(url, NULL, NULL, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_UNREACHABLE);
    }
}

static void *cancel_soon(void *cancel)
{
    g_usleep(300 * 1000);
    cancel_set(cancel);
    return NULL;
}

static void running_query_is_cancelled(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(PgUrl) url = pg_url_parse(server->url, NULL);
    g_autoptr(PgConn) conn = pg_connect_server(url, cancel, &error);
    g_autoptr(PgConn) other = pg_connect_server(url, NULL, NULL);
    int64_t running = -1;
    unsigned looks = 0;
    pthread_t thread;

    g_assert_no_error(error);
    g_assert_cmpint(pthread_create(&thread, NULL, cancel_soon, cancel), ==, 0);
    g_assert_false(pg_exec(conn, "SELECT 1; SELECT pg_sleep(600)", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpstr(error->message, ==, "interrupted");
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
    g_clear_error(&error);
    g_assert_null(pg_query(conn, "SELECT 1", NULL, &error)); // and none is begun
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    // the server ends it, too, which we do not wait for without end
    for (; running != 0 && looks < 600; looks++) {
        if (looks > 0)
            g_usleep(100 * 1000);
        g_assert_true(
            pg_query_number(other,
                            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                            " AND query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()",
                            NULL, &running, NULL));
    }
    g_assert_cmpint(running, ==, 0);
}

/* Takes connections and never says a word. */
static int listen_deaf(guint16 *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &len), ==, 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void waiting_for_a_login_is_cancelled(void)
{
    gint64 start_us = g_get_monotonic_time();
    guint16 port;
    int deaf = listen_deaf(&port);
    g_autoptr(Cancel) cancel = cancel_new();
    g_autofree char *text =
        g_strdup_printf("postgresql://u@127.0.0.1:%u/x?connect_timeout=20", port);
    g_autoptr(PgUrl) url = pg_url_parse(text, NULL);
    g_autoptr(GError) error = NULL;
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, cancel_soon, cancel), ==, 0);
    g_assert_null(pg_connect(url, NULL, cancel, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - start_us, <, 15 * G_USEC_PER_SEC);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
    (void)close(deaf); // and what was given up ends by itself
}

static void copy_is_refused(void)
{
    static const char *const cases[] = { "COPY pg_class TO STDOUT", "CREATE TEMP TABLE t (i int);"
                                                                    "COPY t FROM STDIN" };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgUrl) url = pg_url_parse(server->url, NULL);
        g_autoptr(PgConn) conn = pg_connect_server(url, NULL, NULL);

        g_assert_false(pg_exec(conn, cases[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    }
}

static void child_logs_in_by_a_file_that_goes_away(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = pg_server_tcp_url(server, LOGIN, "postgres");
    g_autoptr(PgUrl) url = pg_url_parse(text, NULL);
    PgAccess *access = NULL;
    g_autoptr(GBytes) output = NULL;
    g_autoptr(GBytes) want = g_bytes_new_static("weak\n", 5);
    g_autofree char *passfile = NULL;
    struct stat info;

    g_setenv("PGPASSWORD", "of another server", TRUE);
    g_setenv("BACKSTAY_PASSWORD", "of the repository", TRUE);
    access = pg_access_new(url, &error);
    g_unsetenv("PGPASSWORD");
    g_assert_no_error(error);
    g_assert_null(g_environ_getenv((char **)pg_access_environ(access), "PGPASSWORD"));
    g_assert_null(g_environ_getenv((char **)pg_access_environ(access), "BACKSTAY_PASSWORD"));
    passfile = g_strdup(g_environ_getenv((char **)pg_access_environ(access), "PGPASSFILE"));
    g_assert_cmpint(stat(passfile, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 0777, ==, 0600);

    const char *argv[] = {
        "psql", "-XqAt", "-d", pg_access_conninfo(access), "-c", "SELECT current_user", NULL
    };
    g_assert_true(child_output(argv, pg_access_environ(access), 100, &output, &error));
    g_assert_true(g_bytes_equal(output, want));
    pg_access_free(access);
    g_assert_false(g_file_test(passfile, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_autofree char *role = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    server = pg_server_start();
    role = pg_server_sql(server, "postgres",
                         "CREATE ROLE weak LOGIN PASSWORD 's3:cr\\et ''\"x';"
                         "ALTER ROLE weak SET statement_timeout = '1s';"
                         "ALTER ROLE weak SET lock_timeout = '1s';"
                         "ALTER ROLE weak SET idle_in_transaction_session_timeout = '1s';\n"
                         "CREATE DATABASE closed ALLOW_CONNECTIONS false;\n"
                         "CREATE DATABASE limited CONNECTION LIMIT 0;\n");
    g_test_add_func("/conn/query gives rows", query_gives_rows);
    g_test_add_func("/conn/settings of the role do not matter", settings_of_the_role_do_not_matter);
    g_test_add_func("/conn/failures have their code", failures_have_their_code);
    g_test_add_func("/conn/nobody answers", nobody_answers);
    g_test_add_func("/conn/running query is cancelled", running_query_is_cancelled);
    g_test_add_func("/conn/waiting for a login is cancelled", waiting_for_a_login_is_cancelled);
    g_test_add_func("/conn/copy is refused", copy_is_refused);
    g_test_add_func("/conn/child logs in by a file that goes away",
                    child_logs_in_by_a_file_that_goes_away);
    status = g_test_run();
    pg_server_stop(server);
    return status;
}
