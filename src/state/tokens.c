/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "state/cataloging.h"
#include "state/sessions.h"

#define COLUMNS "id, hash, name, user_name, scope, created_at, expires_at, used_at, revoked_at"

void token_row_clear(TokenRow *row)
{
    g_free(row->id);
    g_free(row->hash);
    g_free(row->name);
    g_free(row->user);
    g_free(row->scope);
    *row = (TokenRow){ 0 };
}

static TokenRow read_row(DbQuery *query)
{
    return (TokenRow){ .id = g_strdup(db_row_text(query, 0)),
                       .hash = g_strdup(db_row_text(query, 1)),
                       .name = g_strdup(db_row_text(query, 2)),
                       .user = g_strdup(db_row_text(query, 3)),
                       .scope = g_strdup(db_row_text(query, 4)),
                       .created_at = db_int(query, 5),
                       .expires_at = db_int(query, 6),
                       .used_at = db_int(query, 7),
                       .revoked_at = db_int(query, 8) };
}

bool catalog_token_put(Catalog *catalog, TokenRow *row, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "INSERT INTO tokens (" COLUMNS ")"
                                        " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)",
                                        error);

    if (!query)
        return false;
    if (!row->created_at)
        row->created_at = clock_now_ms();
    if (!row->id)
        row->id = catalog_new_id(row->created_at);
    db_bind_text(query, 1, row->id);
    db_bind_text(query, 2, row->hash);
    db_bind_text(query, 3, row->name);
    db_bind_text(query, 4, row->user);
    db_bind_text(query, 5, row->scope);
    db_bind_int(query, 6, row->created_at);
    db_bind_int(query, 7, row->expires_at);
    return db_run(query, NULL, error);
}

bool catalog_token_find(Catalog *catalog, const char *hash, int64_t now, TokenRow *ret_row,
                        GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT " COLUMNS " FROM tokens WHERE hash = $1 AND revoked_at = 0"
                 " AND (expires_at = 0 OR expires_at > $2)",
                 error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, hash);
    db_bind_int(query, 2, now);
    if (!db_step(query, &found, error))
        return false;
    if (!found) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no such token");
        return false;
    }
    *ret_row = read_row(query);
    return true;
}

bool catalog_token_used(Catalog *catalog, const char *id, int64_t now, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "UPDATE tokens SET used_at = $2 WHERE id = $1", error);

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    return db_run(query, NULL, error);
}

bool catalog_token_revoke(Catalog *catalog, const char *id, const char *user, int64_t now,
                          GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 user ? "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0"
                        " AND user_name = $3"
                      : "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0",
                 error);
    int64_t changed;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    if (user)
        db_bind_text(query, 3, user);
    if (!db_run(query, &changed, error))
        return false;
    if (changed == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no token %s", id);
    return changed == 1;
}

bool catalog_tokens(Catalog *catalog, const char *user, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(TokenRow));
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 user ? "SELECT " COLUMNS " FROM tokens WHERE user_name = $1"
                        " AND revoked_at = 0 ORDER BY id"
                      : "SELECT " COLUMNS " FROM tokens WHERE revoked_at = 0 ORDER BY id",
                 error);
    bool found = true;

    g_array_set_clear_func(rows, (GDestroyNotify)token_row_clear);
    if (!query)
        return false;
    if (user)
        db_bind_text(query, 1, user);
    while (found) {
        if (!db_step(query, &found, error))
            return false;
        if (found) {
            TokenRow row = read_row(query);

            g_array_append_val(rows, row);
        }
    }
    *ret_rows = g_steal_pointer(&rows);
    return true;
}
