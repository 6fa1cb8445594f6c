/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"
#include "base/clock.h"
#include "base/error.h"
#include "pg/login.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS      100  /* that cancel is asked again after */
#define PATIENCE_MS 2000 /* for a server that was told to end a query */

struct PgConn {
    PGconn *conn;
    const Cancel *cancel;
};

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

PgConn *pg_connect(const PgUrl *url, const char *database, const Cancel *cancel, GError **error)
{
    g_autoptr(PgConn) conn = NULL;
    PGconn *login = pg_login(url, database, cancel, error);

    if (!login)
        return NULL;
    conn = g_new0(PgConn, 1);
    conn->conn = login;
    conn->cancel = cancel;
    (void)PQsetNoticeProcessor(login, ignore_notice, NULL);
    return neutralise(conn, error) ? g_steal_pointer(&conn) : NULL;
}

PgConn *pg_connect_server(const PgUrl *url, const Cancel *cancel, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PgConn *conn;

    if (pg_url_database(url))
        return pg_connect(url, NULL, cancel, error);
    conn = pg_connect(url, "postgres", cancel, &failure);
    if (!conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return pg_connect(url, "template1", cancel, error);
    if (!conn)
        g_propagate_error(error, g_steal_pointer(&failure));
    return conn;
}

void pg_conn_free(PgConn *conn)
{
    if (!conn)
        return;
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
    text = pg_one_line(primary ? primary : PQerrorMessage(conn->conn));
    g_set_error(error, BS_ERROR, code_of_query(conn, sqlstate), "database %s: %s%s%s",
                PQdb(conn->conn), text, detail ? ": " : "", detail ? detail : "");
    return false;
}

/* ---- waiting ---- */

static void end_query(PgConn *conn)
{
    PGcancel *cancel = PQgetCancel(conn->conn);
    char why[256];

    // what comes of it shows in the query that runs
    (void)PQcancel(cancel, why, sizeof why);
    PQfreeCancel(cancel);
}

/* True when the next result is there, or the connection is lost, which the result tells. Cancelled,
 * it asks the server to end the query and goes on waiting for that, but not for long. */
static bool await_result(PgConn *conn)
{
    int64_t until_ms = 0;

    while (PQisBusy(conn->conn)) {
        struct pollfd answer = { .fd = PQsocket(conn->conn), .events = POLLIN };

        if (!until_ms && cancel_is_set(conn->cancel)) {
            end_query(conn);
            until_ms = clock_monotonic_ms() + PATIENCE_MS;
        }
        if (until_ms && clock_monotonic_ms() > until_ms)
            return false;
        (void)poll(&answer, 1, ASK_MS);
        if (!PQconsumeInput(conn->conn))
            return true;
    }
    return true;
}

/* The last of the results, as PQexec() gives it. NULL: there is none. */
static PGresult *last_result(PgConn *conn)
{
    PGresult *last = NULL;

    while (await_result(conn)) {
        PGresult *next = PQgetResult(conn->conn);

        if (!next)
            return last;
        PQclear(last);
        last = next;
        // nobody feeds a COPY, which would be the next result, too
        if (PQresultStatus(last) == PGRES_COPY_IN || PQresultStatus(last) == PGRES_COPY_OUT)
            return last;
    }
    PQclear(last);
    return NULL;
}

/* sent: the query went out, as libpq says. */
static PGresult *run_query(PgConn *conn, int sent, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PGresult *result = sent ? last_result(conn) : NULL;

    if (check_result(conn, result, &failure))
        return result;
    PQclear(result);
    // "canceling statement due to user request", but the user is ours
    if (cancel_check(conn->cancel, error))
        g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

PgRows *pg_query(PgConn *conn, const char *sql, const char *const *params, GError **error)
{
    int n = params ? (int)g_strv_length((char **)params) : 0;

    if (!cancel_check(conn->cancel, error))
        return NULL;
    return (PgRows *)run_query(
        conn, PQsendQueryParams(conn->conn, sql, n, NULL, params, NULL, NULL, 0), error);
}

bool pg_exec(PgConn *conn, const char *sql, GError **error)
{
    PGresult *result;

    if (!cancel_check(conn->cancel, error))
        return false;
    result = run_query(conn, PQsendQuery(conn->conn, sql), error);
    if (!result)
        return false;
    PQclear(result);
    return true;
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
