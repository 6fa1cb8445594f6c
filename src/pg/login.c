/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/login.h"
#include "base/clock.h"
#include "base/error.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_TIMEOUT_S 10
#define ASK_MS            100 /* that cancel is asked again after */

typedef struct {
    GPtrArray *keywords, *values;
    char timeout[16];
} Params;

static void params_done(Params *params)
{
    g_clear_pointer(&params->keywords, g_ptr_array_unref);
    g_clear_pointer(&params->values, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Params, params_done)

static void params_add(Params *params, const char *keyword, const char *value)
{
    g_ptr_array_add(params->keywords, (char *)keyword);
    g_ptr_array_add(params->values, (char *)value);
}

static int connect_timeout_s(const PgUrl *url)
{
    const char *text = pg_url_get(url, "connect_timeout");

    if (!text)
        text = g_getenv("PGCONNECT_TIMEOUT");
    return text ? atoi(text) : CONNECT_TIMEOUT_S;
}

static void params_init(Params *params, const PgUrl *url)
{
    params->keywords = g_ptr_array_new();
    params->values = g_ptr_array_new();
    (void)g_snprintf(params->timeout, sizeof params->timeout, "%d", connect_timeout_s(url));
    params_add(params, "application_name", "backstay");
    params_add(params, "keepalives_idle", "60"); // of the system: two hours
    params_add(params, "keepalives_interval", "10");
    params_add(params, "keepalives_count", "6");
    pg_url_params(url, params->keywords, params->values);
    // of two equal keywords the later one counts
    params_add(params, "connect_timeout", params->timeout);
    params_add(params, "client_encoding", "UTF8");
}

static int code_of_login(const char *sqlstate)
{
    if (g_str_has_prefix(sqlstate, "28"))
        return BS_ERROR_AUTH;
    if (strcmp(sqlstate, "3D000") == 0)
        return BS_ERROR_NOT_FOUND;
    if (strcmp(sqlstate, "42501") == 0 || strcmp(sqlstate, "55000") == 0)
        return BS_ERROR_DENIED;
    if (g_str_has_prefix(sqlstate, "53"))
        return BS_ERROR_TRANSIENT;
    if (g_str_has_prefix(sqlstate, "57P"))
        return BS_ERROR_UNREACHABLE;
    return BS_ERROR_FAILED;
}

char *pg_one_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    GString *out = g_string_new(NULL);

    for (char **line = lines; *line; line++) {
        g_strstrip(*line);
        if (**line)
            g_string_append_printf(out, "%s%s", out->len ? "; " : "", *line);
    }
    return g_string_free(out, FALSE);
}

/* The SQLSTATE in a verbose message, "FATAL:  28P01: ...". Severities are translated, codes are
 * not. */
static bool find_sqlstate(const char *message, char ret_sqlstate[6])
{
    g_autoptr(GRegex) regex = g_regex_new(":  ([0-9A-Z]{5}): ", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_autofree char *found = NULL;

    if (!g_regex_match(regex, message, 0, &match))
        return false;
    found = g_match_info_fetch(match, 1);
    g_strlcpy(ret_sqlstate, found, 6);
    return true;
}

/*
 * libpq does not give away the SQLSTATE of a failed connection, but writes it into the message when
 * asked to be verbose, and that can be asked only of a connection being made step by step. So this
 * tries once more, to learn the reason.
 */
static int login_failure(const Params *params, int timeout_s, const Cancel *cancel)
{
    PGconn *conn = PQconnectStartParams((const char *const *)params->keywords->pdata,
                                        (const char *const *)params->values->pdata, 0);
    int64_t until = clock_monotonic_ms() + (timeout_s > 0 ? timeout_s : CONNECT_TIMEOUT_S) * 1000;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    char sqlstate[6];
    int code = BS_ERROR_UNREACHABLE;

    if (conn && PQstatus(conn) != CONNECTION_BAD) {
        (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
        while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
            struct pollfd wait = { .fd = PQsocket(conn),
                                   .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT };
            int64_t left = until - clock_monotonic_ms();

            if (left <= 0 || cancel_is_set(cancel))
                break;
            if (poll(&wait, 1, (int)MIN(left, ASK_MS)) > 0)
                state = PQconnectPoll(conn);
        }
    }
    if (conn && PQconnectionNeedsPassword(conn))
        code = BS_ERROR_AUTH;
    else if (conn && find_sqlstate(PQerrorMessage(conn), sqlstate))
        code = code_of_login(sqlstate);
    PQfinish(conn);
    return code;
}

static void set_login_error(const PgUrl *url, const Params *params, const PGconn *conn,
                            int64_t started_ms, const Cancel *cancel, GError **error)
{
    int timeout_s = connect_timeout_s(url);
    g_autofree char *where = pg_url_redacted(url);
    g_autofree char *text = pg_one_line(PQerrorMessage(conn));
    bool timed_out = timeout_s > 0 && clock_monotonic_ms() - started_ms >= timeout_s * 1000;
    int code = timed_out ? BS_ERROR_UNREACHABLE : login_failure(params, timeout_s, cancel);

    g_set_error(error, BS_ERROR, code, "connect to %s: %s", where, text);
}

/* ---- a login that may be given up ---- */

/* libpq waits as long as the server lets it, and only by itself does it heed a timeout for each of
 * several hosts. So a thread waits for libpq; cancelled, it is left to itself. */
typedef struct {
    GStrv keywords, values;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    PGconn *conn;
    bool done, abandoned;
} Attempt;

static Attempt *attempt_new(const Params *params)
{
    Attempt *attempt = g_new0(Attempt, 1);

    attempt->keywords = g_strdupv((GStrv)params->keywords->pdata);
    attempt->values = g_strdupv((GStrv)params->values->pdata);
    pthread_mutex_init(&attempt->mutex, NULL);
    pthread_cond_init(&attempt->changed, NULL);
    return attempt;
}

static void attempt_free(Attempt *attempt)
{
    PQfinish(attempt->conn);
    pthread_cond_destroy(&attempt->changed);
    pthread_mutex_destroy(&attempt->mutex);
    g_strfreev(attempt->keywords);
    g_strfreev(attempt->values);
    g_free(attempt);
}

static void *attempt_main(void *arg)
{
    Attempt *attempt = arg;
    PGconn *conn = PQconnectdbParams((const char *const *)attempt->keywords,
                                     (const char *const *)attempt->values, 0);
    bool abandoned;

    pthread_mutex_lock(&attempt->mutex);
    attempt->conn = conn;
    attempt->done = true;
    abandoned = attempt->abandoned;
    pthread_cond_signal(&attempt->changed);
    pthread_mutex_unlock(&attempt->mutex);
    if (abandoned)
        attempt_free(attempt);
    return NULL;
}

/* False: it was given up. */
static bool attempt_wait(Attempt *attempt, const Cancel *cancel)
{
    bool done;

    pthread_mutex_lock(&attempt->mutex);
    while (!attempt->done && !cancel_is_set(cancel)) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ASK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&attempt->changed, &attempt->mutex, &until);
    }
    done = attempt->done;
    attempt->abandoned = !done;
    pthread_mutex_unlock(&attempt->mutex);
    return done;
}

static bool log_in(const Params *params, const Cancel *cancel, PGconn **ret_conn, GError **error)
{
    Attempt *attempt = attempt_new(params);
    pthread_t thread;
    int failure = pthread_create(&thread, NULL, attempt_main, attempt);

    if (failure != 0) {
        attempt_free(attempt);
        bs_error_errno(error, failure, "pthread_create");
        return false;
    }
    if (!attempt_wait(attempt, cancel)) {
        (void)pthread_detach(thread);
        return cancel_check(cancel, error);
    }
    (void)pthread_join(thread, NULL);
    *ret_conn = g_steal_pointer(&attempt->conn);
    attempt_free(attempt);
    return true;
}

static PGconn *connect_with(Params *params, const PgUrl *url, const Cancel *cancel, GError **error)
{
    int64_t started_ms = clock_monotonic_ms();
    PGconn *conn = NULL;

    params_add(params, NULL, NULL);
    if (!log_in(params, cancel, &conn, error))
        return NULL;
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    set_login_error(url, params, conn, started_ms, cancel, error);
    PQfinish(conn);
    return NULL;
}

PGconn *pg_login(const PgUrl *url, const char *database, const Cancel *cancel, GError **error)
{
    g_auto(Params) params = { 0 };

    params_init(&params, url);
    if (database)
        params_add(&params, "dbname", database);
    return connect_with(&params, url, cancel, error);
}

PGconn *pg_login_replication(const PgUrl *url, const Cancel *cancel, GError **error)
{
    g_auto(Params) params = { 0 };

    params_init(&params, url);
    params_add(&params, "replication", "true");
    // a password file is asked for this name, whatever database the URL names
    params_add(&params, "dbname", "replication");
    return connect_with(&params, url, cancel, error);
}
