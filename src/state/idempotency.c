/* SPDX-License-Identifier: Apache-2.0 */
#include "state/idempotency.h"

#include "state/cataloging.h"

void once_row_clear(OnceRow *row)
{
    g_free(row->request_hash);
    g_free(row->answer);
    *row = (OnceRow){ 0 };
}

/* An expired one is written over, so nobody has to wait for the sweep. */
static bool take(Catalog *catalog, const char *key, const char *request_hash, int64_t now,
                 int64_t expires_at, bool *ret_taken, GError **error)
{
    g_autoptr(DbQuery) query = db_query(
        catalog->db,
        "INSERT INTO idempotency_keys (name, request_hash, status, answer, created_at, expires_at)"
        " VALUES ($1, $2, 0, NULL, $3, $4) ON CONFLICT (name) DO UPDATE SET"
        " request_hash = excluded.request_hash, status = 0, answer = NULL,"
        " created_at = excluded.created_at, expires_at = excluded.expires_at"
        " WHERE idempotency_keys.expires_at <= $3",
        error);
    int64_t changed;

    if (!query)
        return false;
    db_bind_text(query, 1, key);
    db_bind_text(query, 2, request_hash);
    db_bind_int(query, 3, now);
    db_bind_int(query, 4, expires_at);
    if (!db_run(query, &changed, error))
        return false;
    *ret_taken = changed == 1;
    return true;
}

bool catalog_once_begin(Catalog *catalog, const char *key, const char *request_hash, int64_t now,
                        int64_t expires_at, bool *ret_won, OnceRow *ret_row, GError **error)
{
    g_autoptr(DbQuery) query = NULL;
    bool found;

    if (!take(catalog, key, request_hash, now, expires_at, ret_won, error))
        return false;
    if (*ret_won)
        return true;
    query = db_query(catalog->db,
                     "SELECT request_hash, status, answer FROM idempotency_keys WHERE name = $1",
                     error);
    if (!query)
        return false;
    db_bind_text(query, 1, key);
    if (!db_step(query, &found, error))
        return false;
    // one that was given up just now is as one at work: the client comes again
    *ret_row = (OnceRow){ .request_hash = g_strdup(found ? db_row_text(query, 0) : request_hash),
                          .status = found ? (int)db_int(query, 1) : 0,
                          .answer = g_strdup(found ? db_row_text(query, 2) : NULL) };
    return true;
}

bool catalog_once_find(Catalog *catalog, const char *key, int64_t now, OnceRow *ret_row,
                       GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "SELECT request_hash, status, answer FROM idempotency_keys"
                                        " WHERE name = $1 AND expires_at > $2",
                                        error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, key);
    db_bind_int(query, 2, now);
    if (!db_step(query, &found, error))
        return false;
    *ret_row = (OnceRow){ 0 };
    if (found)
        *ret_row = (OnceRow){ .request_hash = g_strdup(db_row_text(query, 0)),
                              .status = (int)db_int(query, 1),
                              .answer = g_strdup(db_row_text(query, 2)) };
    return true;
}

bool catalog_once_end(Catalog *catalog, const char *key, int status, const char *answer,
                      GError **error)
{
    g_autoptr(DbQuery) query = db_query(
        catalog->db, "UPDATE idempotency_keys SET status = $2, answer = $3 WHERE name = $1", error);

    if (!query)
        return false;
    db_bind_text(query, 1, key);
    db_bind_int(query, 2, status);
    db_bind_text(query, 3, answer);
    return db_run(query, NULL, error);
}

bool catalog_once_forget(Catalog *catalog, const char *key, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM idempotency_keys WHERE name = $1", key,
                       NULL);
}

bool catalog_once_sweep(Catalog *catalog, int64_t now, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "DELETE FROM idempotency_keys WHERE expires_at <= $1", error);

    if (!query)
        return false;
    db_bind_int(query, 1, now);
    return db_run(query, NULL, error);
}
