/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/result.h"
#include "base/clock.h"
#include "base/error.h"
#include "pg/login.h"
#include <poll.h>
#include <string.h>

#define ASK_MS      100  /* that cancel is asked again after */
#define PATIENCE_MS 2000 /* for a server that was told to end a query */

static int code_of_query(const PGconn *conn, const char *sqlstate)
{
    if (!sqlstate)
        return PQstatus(conn) == CONNECTION_BAD ? BS_ERROR_UNREACHABLE : BS_ERROR_FAILED;
    if (strcmp(sqlstate, "42501") == 0)
        return BS_ERROR_DENIED;
    if (strcmp(sqlstate, "57014") == 0)
        return BS_ERROR_CANCELLED;
    if (strcmp(sqlstate, "3D000") == 0 || strcmp(sqlstate, "42P01") == 0 ||
        strcmp(sqlstate, "42704") == 0)
        return BS_ERROR_NOT_FOUND;
    if (g_str_has_prefix(sqlstate, "42P04") || strcmp(sqlstate, "42710") == 0)
        return BS_ERROR_EXISTS;
    if (g_str_has_prefix(sqlstate, "57P") || g_str_has_prefix(sqlstate, "08"))
        return BS_ERROR_UNREACHABLE;
    if (g_str_has_prefix(sqlstate, "40") || strcmp(sqlstate, "55P03") == 0 ||
        strcmp(sqlstate, "55006") == 0) // object_in_use
        return BS_ERROR_TRANSIENT;
    if (strcmp(sqlstate, "53100") == 0)
        return BS_ERROR_NO_SPACE;
    if (strcmp(sqlstate, "XX001") == 0)
        return BS_ERROR_CORRUPT;
    return BS_ERROR_FAILED;
}

bool pg_check_result(PGconn *conn, const PGresult *result, const char *database, GError **error)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    g_autofree char *text = NULL;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return true;
    text = pg_one_line(primary ? primary : PQerrorMessage(conn));
    g_set_error(error, BS_ERROR, code_of_query(conn, sqlstate), "%s%s: %s%s%s",
                database ? "database " : "server", database ? database : "", text,
                detail ? ": " : "", detail ? detail : "");
    return false;
}

static void end_query(PGconn *conn)
{
    PGcancel *cancel = PQgetCancel(conn);
    char why[256];

    // what comes of it shows in the query that runs
    (void)PQcancel(cancel, why, sizeof why);
    PQfreeCancel(cancel);
}

bool pg_await_result(PGconn *conn, const Cancel *cancel)
{
    int64_t until_ms = 0;

    while (PQisBusy(conn)) {
        struct pollfd answer = { .fd = PQsocket(conn), .events = POLLIN };

        if (!until_ms && cancel_is_set(cancel)) {
            end_query(conn);
            until_ms = clock_monotonic_ms() + PATIENCE_MS;
        }
        if (until_ms && clock_monotonic_ms() > until_ms)
            return false;
        (void)poll(&answer, 1, ASK_MS);
        if (!PQconsumeInput(conn))
            return true;
    }
    return true;
}

bool pg_await_input(PGconn *conn, const Cancel *cancel)
{
    struct pollfd answer = { .fd = PQsocket(conn), .events = POLLIN };

    while (!cancel_is_set(cancel))
        if (poll(&answer, 1, ASK_MS) > 0) {
            (void)PQconsumeInput(conn); // a lost connection shows in what is asked next
            return true;
        }
    end_query(conn);
    return false;
}
