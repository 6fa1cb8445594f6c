/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/login.h"
#include "base/clock.h"
#include "base/error.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 10

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

static void params_init(Params *params, const PgUrl *url, const char *database)
{
    params->keywords = g_ptr_array_new();
    params->values = g_ptr_array_new();
    (void)g_snprintf(params->timeout, sizeof params->timeout, "%d", connect_timeout_s(url));
    params_add(params, "application_name", "backstay");
    pg_url_params(url, params->keywords, params->values);
    // of two equal keywords the later one counts
    params_add(params, "connect_timeout", params->timeout);
    params_add(params, "client_encoding", "UTF8");
    if (database)
        params_add(params, "dbname", database);
    params_add(params, NULL, NULL);
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
static int login_failure(const Params *params, int timeout_s)
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

            if (left <= 0)
                break;
            (void)poll(&wait, 1, (int)left);
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
                            int64_t started_ms, GError **error)
{
    int timeout_s = connect_timeout_s(url);
    g_autofree char *where = pg_url_redacted(url);
    g_autofree char *text = pg_one_line(PQerrorMessage(conn));
    bool timed_out = timeout_s > 0 && clock_monotonic_ms() - started_ms >= timeout_s * 1000;
    int code = timed_out ? BS_ERROR_UNREACHABLE : login_failure(params, timeout_s);

    g_set_error(error, BS_ERROR, code, "connect to %s: %s", where, text);
}

PGconn *pg_login(const PgUrl *url, const char *database, GError **error)
{
    g_auto(Params) params = { 0 };
    int64_t started_ms = clock_monotonic_ms();
    PGconn *conn;

    params_init(&params, url, database);
    conn = PQconnectdbParams((const char *const *)params.keywords->pdata,
                             (const char *const *)params.values->pdata, 0);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    set_login_error(url, &params, conn, started_ms, error);
    PQfinish(conn);
    return NULL;
}
