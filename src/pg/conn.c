/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"
#include "base/error.h"
#include "pg/login.h"
#include <stdlib.h>
#include <string.h>

struct PgConn {
    PGconn *conn;
    PGcancel *cancel;
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

PgConn *pg_connect(const PgUrl *url, const char *database, GError **error)
{
    g_autoptr(PgConn) conn = NULL;
    PGconn *login = pg_login(url, database, error);

    if (!login)
        return NULL;
    conn = g_new0(PgConn, 1);
    conn->conn = login;
    conn->cancel = PQgetCancel(login);
    (void)PQsetNoticeProcessor(login, ignore_notice, NULL);
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
    text = pg_one_line(primary ? primary : PQerrorMessage(conn->conn));
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
