/* SPDX-License-Identifier: Apache-2.0 */
#include "state/sessions.h"

#include "base/error.h"
#include "state/cataloging.h"

#define COLUMNS                                                                                    \
    "hash, user_name, created_at, login_at, seen_at, expires_at, csrf_hash, address, agent"

void session_row_clear(SessionRow *row)
{
    g_free(row->hash);
    g_free(row->user);
    g_free(row->csrf_hash);
    g_free(row->address);
    g_free(row->agent);
    *row = (SessionRow){ 0 };
}

static SessionRow read_row(DbQuery *query)
{
    return (SessionRow){ .hash = g_strdup(db_row_text(query, 0)),
                         .user = g_strdup(db_row_text(query, 1)),
                         .created_at = db_int(query, 2),
                         .login_at = db_int(query, 3),
                         .seen_at = db_int(query, 4),
                         .expires_at = db_int(query, 5),
                         .csrf_hash = g_strdup(db_row_text(query, 6)),
                         .address = g_strdup(db_row_text(query, 7)),
                         .agent = g_strdup(db_row_text(query, 8)) };
}

bool catalog_session_put(Catalog *catalog, const SessionRow *row, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "INSERT INTO sessions (" COLUMNS ")"
                                        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                                        error);

    if (!query)
        return false;
    db_bind_text(query, 1, row->hash);
    db_bind_text(query, 2, row->user);
    db_bind_int(query, 3, row->created_at);
    db_bind_int(query, 4, row->login_at);
    db_bind_int(query, 5, row->seen_at);
    db_bind_int(query, 6, row->expires_at);
    db_bind_text(query, 7, row->csrf_hash);
    db_bind_text(query, 8, row->address);
    db_bind_text(query, 9, row->agent);
    return db_run(query, NULL, error);
}

static bool set_none(GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no such session");
    return false;
}

bool catalog_session_get(Catalog *catalog, const char *hash, SessionRow *ret_row, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT " COLUMNS " FROM sessions WHERE hash = $1", error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, hash);
    if (!db_step(query, &found, error))
        return false;
    if (!found)
        return set_none(error);
    *ret_row = read_row(query);
    return true;
}

bool catalog_session_touch(Catalog *catalog, const char *hash, int64_t seen_at, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "UPDATE sessions SET seen_at = $2 WHERE hash = $1", error);

    if (!query)
        return false;
    db_bind_text(query, 1, hash);
    db_bind_int(query, 2, seen_at);
    return db_run(query, NULL, error);
}

bool catalog_session_rotate(Catalog *catalog, const char *old_hash, const char *new_hash,
                            const char *csrf_hash, int64_t login_at, GError **error)
{
    g_autoptr(DbQuery) query = db_query(
        catalog->db, "UPDATE sessions SET hash = $2, csrf_hash = $3, login_at = $4 WHERE hash = $1",
        error);
    int64_t changed;

    if (!query)
        return false;
    db_bind_text(query, 1, old_hash);
    db_bind_text(query, 2, new_hash);
    db_bind_text(query, 3, csrf_hash);
    db_bind_int(query, 4, login_at);
    return db_run(query, &changed, error) && (changed == 1 || set_none(error));
}

bool catalog_sessions(Catalog *catalog, const char *user, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(SessionRow));
    g_autoptr(DbQuery) query = db_query(
        catalog->db,
        "SELECT " COLUMNS " FROM sessions WHERE user_name = $1 ORDER BY created_at, hash", error);
    bool found = true;

    g_array_set_clear_func(rows, (GDestroyNotify)session_row_clear);
    if (!query)
        return false;
    db_bind_text(query, 1, user);
    while (found) {
        if (!db_step(query, &found, error))
            return false;
        if (found) {
            SessionRow row = read_row(query);

            g_array_append_val(rows, row);
        }
    }
    *ret_rows = g_steal_pointer(&rows);
    return true;
}

bool catalog_session_delete(Catalog *catalog, const char *hash, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM sessions WHERE hash = $1", hash, NULL);
}

bool catalog_sessions_delete(Catalog *catalog, const char *user, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM sessions WHERE user_name = $1", user,
                       NULL);
}

static bool delete_before(Catalog *catalog, const char *sql, int64_t at, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db, sql, error);

    if (!query)
        return false;
    db_bind_int(query, 1, at);
    return db_run(query, NULL, error);
}

bool catalog_sessions_sweep(Catalog *catalog, int64_t now, int64_t attempts_before, GError **error)
{
    return delete_before(catalog, "DELETE FROM sessions WHERE expires_at <= $1", now, error) &&
           delete_before(catalog, "DELETE FROM login_attempts WHERE last_at < $1", attempts_before,
                         error);
}

/* ---- how often it was tried ---- */

bool catalog_login_failed(Catalog *catalog, const char *name, int64_t now, int64_t window_ms,
                          unsigned *ret_n, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO login_attempts (name, n, first_at, last_at) VALUES ($1, 1, $2, $2)"
                 " ON CONFLICT (name) DO UPDATE SET"
                 " n = CASE WHEN login_attempts.last_at < $3 THEN 1 ELSE login_attempts.n + 1 END,"
                 " first_at = CASE WHEN login_attempts.last_at < $3 THEN excluded.first_at"
                 " ELSE login_attempts.first_at END, last_at = excluded.last_at RETURNING n",
                 error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, name);
    db_bind_int(query, 2, now);
    db_bind_int(query, 3, now - window_ms);
    if (!db_step(query, &found, error))
        return false;
    *ret_n = (unsigned)db_int(query, 0);
    return db_run(query, NULL, error);
}

bool catalog_login_failures(Catalog *catalog, const char *name, int64_t now, int64_t window_ms,
                            unsigned *ret_n, int64_t *ret_last_at, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT n, last_at FROM login_attempts WHERE name = $1 AND last_at >= $2", error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, name);
    db_bind_int(query, 2, now - window_ms);
    if (!db_step(query, &found, error))
        return false;
    *ret_n = found ? (unsigned)db_int(query, 0) : 0;
    *ret_last_at = found ? db_int(query, 1) : 0;
    return true;
}

bool catalog_login_succeeded(Catalog *catalog, const char *name, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM login_attempts WHERE name = $1", name,
                       NULL);
}
