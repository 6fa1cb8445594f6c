/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"
#include "base/error.h"
#include "pg/login.h"
#include "pg/result.h"
#include <string.h>

struct PgConn {
    PGconn *conn;
    const Cancel *cancel;
};

static void ignore_notice(void *user, const char *message)
{
    (void)user;
    (void)message;
}

/* What ALTER ROLE or ALTER DATABASE ... SET may have set is not for us. Of this session alone. */
static bool neutralise(PgConn *conn, GError **error)
{
    static const struct {
        int since;
        const char *set;
    } settings[] = {
        { 0, "SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = 0;"
             "SET row_security = off; SET standard_conforming_strings = on" },
        { 90600, "SET idle_in_transaction_session_timeout = 0" },
        { 140000, "SET idle_session_timeout = 0" },
        { 170000, "SET transaction_timeout = 0" },
    };
    g_autoptr(GString) text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        if (PQserverVersion(conn->conn) >= settings[i].since)
            g_string_append_printf(text, "%s;", settings[i].set);
    return pg_exec(conn, text->str, error);
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

int pg_conn_backend_pid(const PgConn *conn)
{
    return PQbackendPID(conn->conn);
}

/* The last of the results, as PQexec() gives it. NULL: there is none. */
static PGresult *last_result(PgConn *conn)
{
    PGresult *last = NULL;

    while (pg_await_result(conn->conn, conn->cancel)) {
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

    if (pg_check_result(conn->conn, result, PQdb(conn->conn), &failure))
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
