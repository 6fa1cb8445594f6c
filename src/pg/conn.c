/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"
#include "base/clock.h"
#include "base/error.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 10

struct PgConn {
    PGconn *conn;
    PGcancel *cancel;
};

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

/* Lines joined to one, for an error text. */
static char *one_line(const char *text)
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
    g_autofree char *text = one_line(PQerrorMessage(conn));
    bool timed_out = timeout_s > 0 && clock_monotonic_ms() - started_ms >= timeout_s * 1000;
    int code = timed_out ? BS_ERROR_UNREACHABLE : login_failure(params, timeout_s);

    g_set_error(error, BS_ERROR, code, "connect to %s: %s", where, text);
}

static void ignore_notice(void *user, const char *message)
{
    (void)user;
    (void)message;
}

static bool neutralise(PgConn *conn, GError **error)
{
    if (!pg_exec(conn,
                 "SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = 0;"
                 "SET row_security = off",
                 error))
        return false;
    return PQserverVersion(conn->conn) < 90600 ||
           pg_exec(conn, "SET idle_in_transaction_session_timeout = 0", error);
}

PgConn *pg_connect(const PgUrl *url, const char *database, GError **error)
{
    g_autoptr(PgConn) conn = g_new0(PgConn, 1);
    g_auto(Params) params = { 0 };
    int64_t started_ms = clock_monotonic_ms();

    params_init(&params, url, database);
    conn->conn = PQconnectdbParams((const char *const *)params.keywords->pdata,
                                   (const char *const *)params.values->pdata, 0);
    if (PQstatus(conn->conn) != CONNECTION_OK) {
        set_login_error(url, &params, conn->conn, started_ms, error);
        return NULL;
    }
    (void)PQsetNoticeProcessor(conn->conn, ignore_notice, NULL);
    conn->cancel = PQgetCancel(conn->conn);
    return neutralise(conn, error) ? g_steal_pointer(&conn) : NULL;
}

PgConn *pg_connect_server(const PgUrl *url, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PgConn *conn;

    if (pg_url_database(url))
        return pg_connect(url, NULL, error);
    conn = pg_connect(url, "postgres", &failure);
    if (!conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return pg_connect(url, "template1", error);
    if (!conn)
        g_propagate_error(error, g_steal_pointer(&failure));
    return conn;
}

void pg_conn_free(PgConn *conn)
{
    if (!conn)
        return;
    if (conn->cancel)
        PQfreeCancel(conn->cancel);
    PQfinish(conn->conn);
    g_free(conn);
}

int pg_conn_version(const PgConn *conn)
{
    return PQserverVersion(conn->conn);
}

const char *pg_conn_version_text(const PgConn *conn)
{
    return PQparameterStatus(conn->conn, "server_version");
}

const char *pg_conn_database(const PgConn *conn)
{
    return PQdb(conn->conn);
}

void pg_conn_cancel(PgConn *conn)
{
    char why[256];

    // what comes of it shows in the query that runs
    (void)PQcancel(conn->cancel, why, sizeof why);
}

static int code_of_query(const PgConn *conn, const char *sqlstate)
{
    if (!sqlstate)
        return PQstatus(conn->conn) == CONNECTION_BAD ? BS_ERROR_UNREACHABLE : BS_ERROR_FAILED;
    if (strcmp(sqlstate, "42501") == 0)
        return BS_ERROR_DENIED;
    if (strcmp(sqlstate, "57014") == 0)
        return BS_ERROR_CANCELLED;
    if (strcmp(sqlstate, "3D000") == 0 || strcmp(sqlstate, "42P01") == 0)
        return BS_ERROR_NOT_FOUND;
    if (g_str_has_prefix(sqlstate, "42P04"))
        return BS_ERROR_EXISTS;
    if (g_str_has_prefix(sqlstate, "57P") || g_str_has_prefix(sqlstate, "08"))
        return BS_ERROR_UNREACHABLE;
    if (g_str_has_prefix(sqlstate, "40") || strcmp(sqlstate, "55P03") == 0)
        return BS_ERROR_TRANSIENT;
    if (strcmp(sqlstate, "53100") == 0)
        return BS_ERROR_NO_SPACE;
    return BS_ERROR_FAILED;
}

static bool check_result(PgConn *conn, const PGresult *result, GError **error)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    g_autofree char *text = NULL;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return true;
    text = one_line(primary ? primary : PQerrorMessage(conn->conn));
    g_set_error(error, BS_ERROR, code_of_query(conn, sqlstate), "database %s: %s%s%s",
                PQdb(conn->conn), text, detail ? ": " : "", detail ? detail : "");
    return false;
}

PgRows *pg_query(PgConn *conn, const char *sql, const char *const *params, GError **error)
{
    int n = params ? (int)g_strv_length((char **)params) : 0;
    PGresult *result = PQexecParams(conn->conn, sql, n, NULL, params, NULL, NULL, 0);

    if (!check_result(conn, result, error)) {
        PQclear(result);
        return NULL;
    }
    return (PgRows *)result;
}

bool pg_exec(PgConn *conn, const char *sql, GError **error)
{
    PGresult *result = PQexec(conn->conn, sql);
    bool ok = check_result(conn, result, error);

    PQclear(result);
    return ok;
}

bool pg_query_number(PgConn *conn, const char *sql, const char *const *params, int64_t *ret_number,
                     GError **error)
{
    g_autoptr(PgRows) rows = pg_query(conn, sql, params, error);
    const char *text = rows && pg_rows_count(rows) == 1 ? pg_rows_get(rows, 0, 0) : NULL;

    if (!rows)
        return false;
    if (!text) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "database %s: a query gave no number",
                    PQdb(conn->conn));
        return false;
    }
    *ret_number = g_ascii_strtoll(text, NULL, 10);
    return true;
}

int pg_rows_count(const PgRows *rows)
{
    return PQntuples((const PGresult *)rows);
}

const char *pg_rows_get(const PgRows *rows, int row, int column)
{
    const PGresult *result = (const PGresult *)rows;

    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

bool pg_rows_bool(const PgRows *rows, int row, int column)
{
    return g_strcmp0(pg_rows_get(rows, row, column), "t") == 0;
}

void pg_rows_free(PgRows *rows)
{
    PQclear((PGresult *)rows);
}

static void append_doubled(GString *out, const char *text, char quote)
{
    g_string_append_c(out, quote);
    for (const char *c = text; *c; c++) {
        if (*c == quote)
            g_string_append_c(out, quote);
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, quote);
}

char *pg_quote_name(const char *schema, const char *name)
{
    GString *out = g_string_new(NULL);

    if (schema) {
        append_doubled(out, schema, '"');
        g_string_append_c(out, '.');
    }
    append_doubled(out, name, '"');
    return g_string_free(out, FALSE);
}

char *pg_quote_text(const char *text)
{
    GString *out = g_string_new(NULL);

    append_doubled(out, text, '\'');
    return g_string_free(out, FALSE);
}
