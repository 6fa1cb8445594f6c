/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "codec/hash.h"
#include "pg/login.h"
#include "pg/result.h"
#include "state/dbdriver.h"
#include <poll.h>
#include <string.h>

#define PARAMS_MAX 32
#define ANSWER_MS  60000 /* longer than a statement may take */

/* A role's own settings must neither make a commit less than durable nor a wait endless. */
#define SESSION                                                                                    \
    "SET synchronous_commit = on; SET lock_timeout = '10s'; SET statement_timeout = '50s';"        \
    "SET idle_in_transaction_session_timeout = '60s';"                                             \
    "SET default_transaction_isolation = 'read committed'; SET client_min_messages = error"

typedef struct {
    Db base;
    PgUrl *url;
    PGconn *conn;
    unsigned life;    /* counts connections: a statement is prepared in one */
    uint64_t n_named; /* statements */
    bool within;      /* a transaction */
} PostgresDb;

typedef struct {
    DbQuery base;
    char name[24];
    unsigned life;
    char *params[PARAMS_MAX];
    unsigned n_params;
    PGresult *result; /* NULL: not run yet */
    int row;
} PostgresQuery;

/* ---- one statement ---- */

/* A server behind a dead line would be waited for as long as TCP does. */
static PGresult *last_result(PGconn *conn)
{
    int64_t until_ms = clock_monotonic_ms() + ANSWER_MS;
    PGresult *last = NULL;

    for (;;) {
        PGresult *next;

        while (PQisBusy(conn)) {
            struct pollfd answer = { .fd = PQsocket(conn), .events = POLLIN };
            int64_t left = until_ms - clock_monotonic_ms();

            if (left <= 0) {
                PQclear(last);
                return NULL;
            }
            if (poll(&answer, 1, (int)left) > 0 && !PQconsumeInput(conn))
                break;
        }
        next = PQgetResult(conn);
        if (!next)
            return last;
        PQclear(last);
        last = next;
    }
}

/* What a caller may try again is told from what he may not; a lost connection comes back. */
static void set_error(const PostgresDb *db, const PGresult *result, GError **error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    g_autoptr(GError) failure = NULL;

    if (!result && PQstatus(db->conn) == CONNECTION_OK) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "catalogue %s does not answer",
                    db->base.name);
        return;
    }
    (void)pg_check_result(db->conn, result, NULL, &failure);
    if (g_strcmp0(sqlstate, "23505") == 0)
        failure->code = BS_ERROR_EXISTS;
    if (failure->code == BS_ERROR_UNREACHABLE || PQstatus(db->conn) == CONNECTION_BAD ||
        failure->code == BS_ERROR_CANCELLED || // that was statement_timeout, or an administrator
        (sqlstate && g_str_has_prefix(sqlstate, "53") && failure->code != BS_ERROR_NO_SPACE))
        failure->code = BS_ERROR_TRANSIENT;
    g_set_error(error, BS_ERROR, failure->code, "catalogue %s: %s", db->base.name,
                failure->message);
}

/* Gives the result of what was sent, when it is a good one. */
static PGresult *take_result(PostgresDb *db, int sent, GError **error)
{
    PGresult *result = sent ? last_result(db->conn) : NULL;
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    set_error(db, result, error);
    if (sent && !result && PQstatus(db->conn) == CONNECTION_OK) {
        // its answer may still come, and would be taken for that to the next question
        PQfinish(db->conn);
        db->conn = NULL;
    }
    PQclear(result);
    return NULL;
}

static bool run_text(PostgresDb *db, const char *sql, GError **error)
{
    PGresult *result = take_result(db, PQsendQuery(db->conn, sql), error);

    if (!result)
        return false;
    PQclear(result);
    return true;
}

/* ---- the connection ---- */

static void ignore_notice(G_GNUC_UNUSED void *user, G_GNUC_UNUSED const char *message)
{
}

static bool connect_anew(PostgresDb *db, GError **error)
{
    g_clear_pointer(&db->conn, PQfinish);
    db->conn = pg_login(db->url, NULL, NULL, error);
    if (!db->conn) {
        g_prefix_error(error, "catalogue: ");
        return false;
    }
    db->life++;
    (void)PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
    return run_text(db, SESSION, error);
}

/* Never within a transaction: what went before in it would be missing. */
static bool ensure_connected(PostgresDb *db, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (db->within || (db->conn && PQstatus(db->conn) == CONNECTION_OK))
        return true;
    if (connect_anew(db, &failure))
        return true;
    if (failure->code == BS_ERROR_UNREACHABLE)
        failure->code = BS_ERROR_TRANSIENT;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool postgres_exec(Db *base, const char *sql, GError **error)
{
    PostgresDb *db = (PostgresDb *)base;

    return ensure_connected(db, error) && run_text(db, sql, error);
}

/* PostgreSQL documentation, "Advisory Locks": one of this kind ends with the transaction. */
static bool take_lock(PostgresDb *db, const char *lock, GError **error)
{
    g_autofree char *word = g_strconcat("backstay ", lock, NULL);
    g_autofree char *sql = NULL;
    int64_t number;
    Id hash;

    hash_bytes(word, strlen(word), &hash);
    memcpy(&number, hash.bytes, sizeof number);
    sql = g_strdup_printf("SELECT pg_advisory_xact_lock(%" G_GINT64_FORMAT ")",
                          GINT64_FROM_BE(number));
    return run_text(db, sql, error);
}

static void postgres_rollback(Db *base)
{
    PostgresDb *db = (PostgresDb *)base;

    // without a connection the server does it
    if (db->within && PQstatus(db->conn) == CONNECTION_OK && !run_text(db, "ROLLBACK", NULL))
        g_clear_pointer(&db->conn, PQfinish);
    db->within = false;
}

static bool postgres_begin(Db *base, const char *lock, GError **error)
{
    PostgresDb *db = (PostgresDb *)base;

    g_assert(!db->within);
    if (!postgres_exec(base, "BEGIN", error))
        return false;
    db->within = true;
    if (!lock || take_lock(db, lock, error))
        return true;
    postgres_rollback(base);
    return false;
}

/* A transaction in which something failed answers COMMIT with ROLLBACK, and calls it a success. */
static bool postgres_commit(Db *base, GError **error)
{
    PostgresDb *db = (PostgresDb *)base;
    PGresult *result = take_result(db, PQsendQuery(db->conn, "COMMIT"), error);
    bool committed = result && strcmp(PQcmdStatus(result), "COMMIT") == 0;

    db->within = false;
    if (result && !committed)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "catalogue %s: the server rolled back",
                    base->name);
    PQclear(result);
    return committed;
}

/* ---- prepared statements ---- */

/* In the server it is prepared when it runs: the connection may be another by then. */
static DbQuery *postgres_prepare(Db *base, G_GNUC_UNUSED const char *sql,
                                 G_GNUC_UNUSED GError **error)
{
    PostgresDb *db = (PostgresDb *)base;
    PostgresQuery *query = g_new0(PostgresQuery, 1);

    (void)g_snprintf(query->name, sizeof query->name, "q%" G_GUINT64_FORMAT, db->n_named++);
    return &query->base;
}

static bool prepare_here(PostgresDb *db, PostgresQuery *query, GError **error)
{
    PGresult *result;

    if (query->life == db->life)
        return true;
    result = take_result(db, PQsendPrepare(db->conn, query->name, query->base.sql, 0, NULL), error);
    if (!result)
        return false;
    PQclear(result);
    query->life = db->life;
    return true;
}

static void postgres_bind_text(DbQuery *base, unsigned n, const char *text)
{
    PostgresQuery *query = (PostgresQuery *)base;

    g_assert(n > 0 && n <= PARAMS_MAX);
    g_free(query->params[n - 1]);
    query->params[n - 1] = g_strdup(text);
    query->n_params = MAX(query->n_params, n);
}

static void postgres_bind_int(DbQuery *base, unsigned n, int64_t value)
{
    char text[32];

    (void)g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, value);
    postgres_bind_text(base, n, text);
}

static bool run_query(PostgresQuery *query, GError **error)
{
    PostgresDb *db = (PostgresDb *)query->base.db;

    if (!ensure_connected(db, error) || !prepare_here(db, query, error))
        return false;
    query->row = -1;
    query->result =
        take_result(db,
                    PQsendQueryPrepared(db->conn, query->name, (int)query->n_params,
                                        (const char *const *)query->params, NULL, NULL, 0),
                    error);
    return query->result != NULL;
}

static bool postgres_step(DbQuery *base, bool *ret_row, GError **error)
{
    PostgresQuery *query = (PostgresQuery *)base;

    if (!query->result && !run_query(query, error))
        return false;
    *ret_row = ++query->row < PQntuples(query->result);
    return true;
}

static int64_t postgres_changed(DbQuery *base)
{
    return g_ascii_strtoll(PQcmdTuples(((PostgresQuery *)base)->result), NULL, 10);
}

static const char *postgres_text(DbQuery *base, unsigned column)
{
    const PostgresQuery *query = (PostgresQuery *)base;

    return PQgetisnull(query->result, query->row, (int)column)
               ? NULL
               : PQgetvalue(query->result, query->row, (int)column);
}

static int64_t postgres_int(DbQuery *base, unsigned column)
{
    const char *text = postgres_text(base, column);

    return text ? g_ascii_strtoll(text, NULL, 10) : 0;
}

static void postgres_reset(DbQuery *base)
{
    PostgresQuery *query = (PostgresQuery *)base;

    g_clear_pointer(&query->result, PQclear);
    for (unsigned i = 0; i < query->n_params; i++)
        g_clear_pointer(&query->params[i], g_free);
    query->n_params = 0;
}

static void postgres_query_free(DbQuery *base)
{
    PostgresQuery *query = (PostgresQuery *)base;
    PostgresDb *db = (PostgresDb *)base->db;

    postgres_reset(base);
    if (!base->kept && query->life == db->life &&
        PQtransactionStatus(db->conn) <= PQTRANS_INTRANS) {
        g_autofree char *sql = g_strconcat("DEALLOCATE ", query->name, NULL);

        (void)run_text(db, sql, NULL); // it would be there until the connection ends
    }
    g_free(query);
}

static void postgres_free(Db *base)
{
    PostgresDb *db = (PostgresDb *)base;

    g_clear_pointer(&db->conn, PQfinish);
    pg_url_free(db->url);
    g_free(db);
}

static const DbOps postgres_ops = {
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .exec = postgres_exec,
    .prepare = postgres_prepare,
    .bind_text = postgres_bind_text,
    .bind_int = postgres_bind_int,
    .step = postgres_step,
    .changed = postgres_changed,
    .text = postgres_text,
    .integer = postgres_int,
    .reset = postgres_reset,
    .query_free = postgres_query_free,
    .free = postgres_free,
};

bool postgres_open(const char *url, const Secret *password, Db **ret_db, GError **error)
{
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    g_autoptr(Db) base = NULL;
    PostgresDb *db;

    if (!parsed)
        return false;
    if (pg_url_get(parsed, "password")) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the catalogue's URL holds a password; give it by server.catalogue_password");
        return false;
    }
    db = g_new0(PostgresDb, 1);
    base = &db->base;
    base->ops = &postgres_ops;
    base->name = pg_url_redacted(parsed);
    db->url =
        password ? pg_url_with_password(parsed, secret_data(password)) : g_steal_pointer(&parsed);
    db_init(base);
    if (!connect_anew(db, error))
        return false;
    *ret_db = g_steal_pointer(&base);
    return true;
}
