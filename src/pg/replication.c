/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/replication.h"
#include "base/error.h"
#include "pg/login.h"
#include "pg/result.h"
#include "pg/walname.h"
#include <string.h>
#include <unistd.h>

#define OLDEST       130000
#define WARNINGS_MAX 2000 /* bytes; one page of trouble names the disk, a thousand name no more */

struct PgReplication {
    PGconn *conn;
    const Cancel *cancel;
    char *copied;   /* the last message of a COPY */
    PGresult *next; /* had already, when a COPY ended */
    GString *warnings;
};

/* ---- connecting ---- */

static void keep_warning(void *user, const PGresult *notice)
{
    GString *warnings = user;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    g_autofree char *text = pg_one_line(PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));

    if (g_strcmp0(severity, "WARNING") == 0 && warnings->len + strlen(text) < WARNINGS_MAX)
        g_string_append_printf(warnings, "%s%s", warnings->len ? "; " : "", text);
}

/* What an administrator has to change. */
static void add_advice(GError **error, const PgUrl *url)
{
    const char *user = pg_url_get(url, "user") ? pg_url_get(url, "user") : "ROLE";
    const char *text = (*error)->message;

    if (strstr(text, "pg_hba.conf")) {
        g_prefix_error(error,
                       "the server does not let this role in for replication; add the line \"host "
                       "replication %s ADDRESS-OF-THIS-MACHINE/32 scram-sha-256\" (\"local "
                       "replication %s peer\" for its socket) to pg_hba.conf and reload it: ",
                       user, user);
    } else if (strstr(text, "max_wal_senders")) {
        g_prefix_error(error, "no WAL sender is free; raise max_wal_senders: ");
    } else if (g_error_matches(*error, BS_ERROR, BS_ERROR_DENIED)) {
        (*error)->code = BS_ERROR_AUTH;
        g_prefix_error(error,
                       "this role has no right to replicate; \"ALTER ROLE %s REPLICATION\" gives "
                       "it: ",
                       user);
    }
}

static bool new_enough(const PgReplication *replication, GError **error)
{
    int version = PQserverVersion(replication->conn);

    if (version >= OLDEST)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "the server is PostgreSQL %s; clusters are backed up from version 13 on, older "
                "ones as dumps (postgresql://)",
                pg_replication_version_text(replication));
    return false;
}

PgReplication *pg_replication_connect(const PgUrl *url, const Cancel *cancel, GError **error)
{
    g_autoptr(PgReplication) replication = NULL;
    g_autoptr(GError) failure = NULL;
    PGconn *login = pg_login_replication(url, cancel, &failure);

    if (!login) {
        add_advice(&failure, url);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    replication = g_new0(PgReplication, 1);
    replication->conn = login;
    replication->cancel = cancel;
    replication->warnings = g_string_new(NULL);
    (void)PQsetNoticeReceiver(login, keep_warning, replication->warnings);
    return new_enough(replication, error) ? g_steal_pointer(&replication) : NULL;
}

void pg_replication_free(PgReplication *replication)
{
    if (!replication)
        return;
    PQfreemem(replication->copied);
    PQclear(replication->next);
    PQfinish(replication->conn);
    g_string_free(replication->warnings, TRUE);
    g_free(replication);
}

int pg_replication_version(const PgReplication *replication)
{
    return PQserverVersion(replication->conn);
}

const char *pg_replication_version_text(const PgReplication *replication)
{
    return PQparameterStatus(replication->conn, "server_version");
}

const char *pg_replication_host(const PgReplication *replication)
{
    return PQhost(replication->conn);
}

const char *pg_replication_port(const PgReplication *replication)
{
    return PQport(replication->conn);
}

const char *pg_replication_warnings(const PgReplication *replication)
{
    return replication->warnings->len ? replication->warnings->str : NULL;
}

/* ---- commands ---- */

bool pg_replication_send(PgReplication *replication, const char *command, GError **error)
{
    if (!cancel_check(replication->cancel, error))
        return false;
    return PQsendQuery(replication->conn, command) ||
           pg_check_result(replication->conn, NULL, NULL, error);
}

static bool has_status(const PgReplication *replication, const PGresult *result,
                       ExecStatusType status, GError **error)
{
    if (PQresultStatus(result) == status)
        return true;
    if (pg_check_result(replication->conn, result, NULL, error))
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it answers something unexpected");
    return false;
}

PGresult *pg_replication_next(PgReplication *replication)
{
    if (replication->next)
        return g_steal_pointer(&replication->next);
    return pg_await_result(replication->conn, replication->cancel) ? PQgetResult(replication->conn)
                                                                   : NULL;
}

/* "canceling statement due to user request", but the user is ours. */
static bool fail(const PgReplication *replication, GError *failure, GError **error)
{
    if (cancel_check(replication->cancel, error))
        g_propagate_error(error, failure);
    else
        g_error_free(failure);
    return false;
}

PGresult *pg_replication_result(PgReplication *replication, ExecStatusType status, GError **error)
{
    GError *failure = NULL;
    PGresult *result = pg_replication_next(replication);

    if (has_status(replication, result, status, &failure))
        return result;
    PQclear(result);
    (void)fail(replication, failure, error);
    return NULL;
}

void pg_replication_drain(PgReplication *replication)
{
    PGresult *result;

    while (pg_await_result(replication->conn, replication->cancel) &&
           (result = PQgetResult(replication->conn)))
        PQclear(result);
}

/* A COPY ends, too, when the server gives up: only what comes next tells. */
static bool copy_ended_well(PgReplication *replication, GError **error)
{
    GError *failure = NULL;
    ExecStatusType status;

    replication->next = pg_replication_next(replication);
    status = PQresultStatus(replication->next);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_OUT)
        return true;
    (void)pg_check_result(replication->conn, replication->next, NULL, &failure);
    return fail(replication, failure, error);
}

bool pg_replication_copied(PgReplication *replication, const char **ret_data, size_t *ret_len,
                           GError **error)
{
    int n;

    g_clear_pointer(&replication->copied, PQfreemem);
    while ((n = PQgetCopyData(replication->conn, &replication->copied, 1)) == 0) {
        if (PQstatus(replication->conn) == CONNECTION_BAD)
            return pg_check_result(replication->conn, NULL, NULL, error);
        if (!pg_await_input(replication->conn, replication->cancel))
            return cancel_check(replication->cancel, error);
    }
    if (n < 0 && !copy_ended_well(replication, error))
        return false;
    *ret_data = replication->copied;
    *ret_len = n > 0 ? (size_t)n : 0;
    return true;
}

PgCopy pg_replication_copy_ready(PgReplication *replication, const char **ret_data, size_t *ret_len)
{
    int n;

    g_clear_pointer(&replication->copied, PQfreemem);
    n = PQgetCopyData(replication->conn, &replication->copied, 1);
    *ret_data = replication->copied;
    *ret_len = n > 0 ? (size_t)n : 0;
    return n > 0 ? PG_COPY_MESSAGE : n == 0 ? PG_COPY_NONE : PG_COPY_ENDED;
}

PGconn *pg_replication_conn(PgReplication *replication)
{
    return replication->conn;
}

PGresult *pg_replication_ask(PgReplication *replication, const char *command, int n_columns,
                             GError **error)
{
    PGresult *result;

    if (!pg_replication_send(replication, command, error))
        return NULL;
    result = pg_replication_result(replication, PGRES_TUPLES_OK, error);
    pg_replication_drain(replication);
    if (!result || (PQntuples(result) == 1 && PQnfields(result) >= n_columns))
        return result;
    PQclear(result);
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: no answer to %s", command);
    return NULL;
}

bool pg_replication_identify(PgReplication *replication, PgSystem *ret_system, GError **error)
{
    PGresult *result = pg_replication_ask(replication, "IDENTIFY_SYSTEM", 3, error);
    PgSystem system = { 0 };
    bool ok;

    if (!result)
        return false;
    system.system_id = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    system.timeline = (uint32_t)g_ascii_strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    ok = lsn_parse(PQgetvalue(result, 0, 2), &system.lsn) && system.system_id && system.timeline;
    PQclear(result);
    if (ok)
        *ret_system = system;
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it does not say who it is");
    return ok;
}

char *pg_replication_show(PgReplication *replication, const char *name, GError **error)
{
    g_autofree char *command = g_strconcat("SHOW ", name, NULL);
    PGresult *result = pg_replication_ask(replication, command, 1, error);
    char *value;

    if (!result)
        return NULL;
    value = g_strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

/* "16MB": what SHOW makes of a number of bytes. */
static bool parse_segment_size(const char *text, uint32_t *ret_size, GError **error)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = { { "B", 0 }, { "kB", 10 }, { "MB", 20 }, { "GB", 30 } };
    char *unit;
    uint64_t value = g_ascii_strtoull(text, &unit, 10);

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (strcmp(unit, units[i].name) == 0 && value <= WAL_SEGMENT_MAX &&
            wal_segment_size_valid(value << units[i].shift)) {
            *ret_size = (uint32_t)(value << units[i].shift);
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: wal_segment_size is \"%s\"", text);
    return false;
}

bool pg_replication_segment_size(PgReplication *replication, uint32_t *ret_size, GError **error)
{
    g_autofree char *text = pg_replication_show(replication, "wal_segment_size", error);

    return text && parse_segment_size(text, ret_size, error);
}

bool pg_replication_hold_wal(PgReplication *replication, GError **error)
{
    // with the thread's clock no two have the same, should a server outlive its connection
    g_autofree char *command = g_strdup_printf(
        "CREATE_REPLICATION_SLOT backstay_%d_%" G_GINT64_FORMAT " TEMPORARY PHYSICAL RESERVE_WAL",
        (int)getpid(), g_get_real_time());
    PGresult *result = pg_replication_ask(replication, command, 1, error);

    PQclear(result);
    return result != NULL;
}
