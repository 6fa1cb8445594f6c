/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runlockpg.h"

#include "base/error.h"
#include "codec/hash.h"
#include "pg/conn.h"
#include <string.h>

#define IDLE_TIMEOUT_SINCE 140000

struct PgLock {
    PgConn *conn;
    char *place; /* for messages */
    char key[24];
};

int64_t pg_lock_key(const char *schedule)
{
    g_autofree char *text = g_strconcat("backstay:schedule:", schedule, NULL);
    uint64_t key;
    Id id;

    hash_bytes(text, strlen(text), &id);
    memcpy(&key, id.bytes, sizeof key);
    return (int64_t)GUINT64_FROM_BE(key);
}

void pg_lock_free(PgLock *lock)
{
    if (!lock)
        return;
    pg_conn_free(lock->conn);
    g_free(lock->place);
    g_free(lock);
}

/* A query of two columns: the server process that answers, and whether. */
static bool ask(PgLock *lock, const char *sql, bool *ret_yes, GError **error)
{
    const char *const params[] = { lock->key, NULL };
    g_autoptr(PgRows) rows = pg_query(lock->conn, sql, params, error);
    int64_t pid;

    if (!rows)
        return false;
    pid = g_ascii_strtoll(pg_rows_get(rows, 0, 0), NULL, 10);
    *ret_yes = pg_rows_bool(rows, 0, 1);
    if (pid == pg_conn_backend_pid(lock->conn))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "a connection pooler such as pgbouncer lies between, which hands the session that "
                "holds the lock to others; name the server itself in the source's URL, or turn "
                "locks.postgresql off");
    return false;
}

static bool take(PgLock *lock, GError **error)
{
    bool got;

    // a lock that waits is idle on purpose
    if (pg_conn_version(lock->conn) >= IDLE_TIMEOUT_SINCE &&
        !pg_exec(lock->conn, "SET idle_session_timeout = 0", error))
        return false;
    if (!ask(lock,
             "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_try_advisory_lock($1::bigint)",
             &got, error))
        return false;
    if (!got)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "another run of this schedule holds its advisory lock %s", lock->key);
    return got;
}

static bool check(PgLock *lock, GError **error)
{
    bool held;

    if (!ask(lock,
             "SELECT pg_catalog.pg_backend_pid(), EXISTS (SELECT FROM pg_catalog.pg_locks "
             "WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted AND "
             "objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = $1::bigint)",
             &held, error))
        return false;
    if (!held)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "the advisory lock is no longer held");
    return held;
}

bool pg_lock_check(PgLock *lock, GError **error)
{
    if (check(lock, error))
        return true;
    g_prefix_error(error, "lock in %s: ", lock->place);
    return false;
}

PgLock *pg_lock_acquire(const PgUrl *url, const char *schedule, const Cancel *cancel,
                        GError **error)
{
    g_autoptr(PgLock) lock = g_new0(PgLock, 1);

    lock->place = pg_url_redacted(url);
    (void)g_snprintf(lock->key, sizeof lock->key, "%" G_GINT64_FORMAT, pg_lock_key(schedule));
    lock->conn = pg_connect_server(url, cancel, error);
    // what one statement got the next one must find
    if (lock->conn && take(lock, error) && check(lock, error))
        return g_steal_pointer(&lock);
    g_prefix_error(error, "lock in %s: ", lock->place);
    return NULL;
}
