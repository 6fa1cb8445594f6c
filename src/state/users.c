/* SPDX-License-Identifier: Apache-2.0 */
#include "state/users.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/cataloging.h"
#include <string.h>

#define COLUMNS "name, role, password, enabled, created_at, updated_at, seen_at, version"
#define LOCK    "users" /* who counts admins must not be overtaken */

bool user_role_is_valid(const char *role)
{
    static const char *const roles[] = { "viewer", "operator", "admin", NULL };

    return g_strv_contains(roles, role);
}

void user_row_clear(UserRow *row)
{
    g_free(row->name);
    g_free(row->role);
    g_free(row->password);
    *row = (UserRow){ 0 };
}

/* ---- reading ---- */

static UserRow read_row(DbQuery *query)
{
    return (UserRow){ .name = g_strdup(db_row_text(query, 0)),
                      .role = g_strdup(db_row_text(query, 1)),
                      .password = g_strdup(db_row_text(query, 2)),
                      .enabled = db_int(query, 3) != 0,
                      .created_at = db_int(query, 4),
                      .updated_at = db_int(query, 5),
                      .seen_at = db_int(query, 6),
                      .version = (unsigned)db_int(query, 7) };
}

bool catalog_user_get(Catalog *catalog, const char *name, UserRow *ret_row, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT " COLUMNS " FROM users WHERE name = $1", error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, name);
    if (!db_step(query, &found, error))
        return false;
    if (!found) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no user %s", name);
        return false;
    }
    *ret_row = read_row(query);
    return true;
}

bool catalog_users(Catalog *catalog, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(UserRow));
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT " COLUMNS " FROM users ORDER BY name", error);

    g_array_set_clear_func(rows, (GDestroyNotify)user_row_clear);
    while (query) {
        UserRow row;
        bool found;

        if (!db_step(query, &found, error))
            return false;
        if (!found) {
            *ret_rows = g_steal_pointer(&rows);
            return true;
        }
        row = read_row(query);
        g_array_append_val(rows, row);
    }
    return false;
}

/* ---- changes, within a transaction under LOCK ---- */

static bool keeps_an_admin(Catalog *catalog, const UserRow *before, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT count(*) FROM users WHERE role = 'admin' AND enabled = 1"
                 " AND password IS NOT NULL",
                 error);
    bool found;

    if (!before->enabled || strcmp(before->role, "admin") != 0)
        return true; // then he was none
    if (!query || !db_step(query, &found, error))
        return false;
    if (db_int(query, 0) > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "nobody could administer any more; make another admin first");
    return false;
}

static bool insert(Catalog *catalog, UserRow *row, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "INSERT INTO users (" COLUMNS ")"
                                        " VALUES ($1, $2, $3, $4, $5, $5, 0, 1)"
                                        " ON CONFLICT DO NOTHING",
                                        error);
    int64_t now = clock_now_ms(), inserted;

    if (!query)
        return false;
    db_bind_text(query, 1, row->name);
    db_bind_text(query, 2, row->role);
    db_bind_text(query, 3, row->password);
    db_bind_int(query, 4, row->enabled);
    db_bind_int(query, 5, now);
    if (!db_run(query, &inserted, error))
        return false;
    if (inserted == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "there is a user %s already", row->name);
        return false;
    }
    row->created_at = row->updated_at = now;
    row->version = 1;
    return true;
}

static bool check_version(const UserRow *now, unsigned expected_version, GError **error)
{
    if (expected_version == 0 || now->version == expected_version)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_STALE,
                "user %s was changed meanwhile, it has version %u; read it again", now->name,
                now->version);
    return false;
}

static bool end_sessions(Catalog *catalog, const char *name, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM sessions WHERE user_name = $1", name,
                       NULL);
}

static bool write_row(Catalog *catalog, UserRow *row, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE users SET role = $2, password = $3, enabled = $4, updated_at = $5,"
                 " version = version + 1 WHERE name = $1",
                 error);

    if (!query)
        return false;
    row->updated_at = clock_now_ms();
    row->version++;
    db_bind_text(query, 1, row->name);
    db_bind_text(query, 2, row->role);
    db_bind_text(query, 3, row->password);
    db_bind_int(query, 4, row->enabled);
    db_bind_int(query, 5, row->updated_at);
    return db_run(query, NULL, error);
}

static bool update(Catalog *catalog, UserRow *row, unsigned expected_version, GError **error)
{
    g_auto(UserRow) now = { 0 };
    bool lets_in_as_before;

    if (!catalog_user_get(catalog, row->name, &now, error) ||
        !check_version(&now, expected_version, error))
        return false;
    lets_in_as_before = strcmp(now.role, row->role) == 0 && now.enabled == row->enabled &&
                        g_strcmp0(now.password, row->password) == 0;
    row->version = now.version;
    row->created_at = now.created_at;
    return write_row(catalog, row, error) && keeps_an_admin(catalog, &now, error) &&
           (lets_in_as_before || end_sessions(catalog, row->name, error)) &&
           (row->enabled ||
            catalog_run(catalog, NULL, error, "DELETE FROM tokens WHERE user_name = $1", row->name,
                        NULL));
}

static bool end_transaction(Catalog *catalog, bool good, GError **error)
{
    if (good)
        return db_commit(catalog->db, error);
    db_rollback(catalog->db);
    return false;
}

bool catalog_user_put(Catalog *catalog, UserRow *row, unsigned expected_version, GError **error)
{
    if (!row->role || !user_role_is_valid(row->role)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "'%s' is no role; there are viewer, operator and admin",
                    row->role ? row->role : "");
        return false;
    }
    if (!db_begin(catalog->db, LOCK, error))
        return false;
    return end_transaction(catalog,
                           expected_version == 0 ? insert(catalog, row, error)
                                                 : update(catalog, row, expected_version, error),
                           error);
}

static bool remove_user(Catalog *catalog, const char *name, unsigned expected_version,
                        GError **error)
{
    g_auto(UserRow) now = { 0 };

    return catalog_user_get(catalog, name, &now, error) &&
           check_version(&now, expected_version, error) &&
           catalog_run(catalog, NULL, error, "DELETE FROM users WHERE name = $1", name, NULL) &&
           keeps_an_admin(catalog, &now, error) && end_sessions(catalog, name, error) &&
           catalog_run(catalog, NULL, error, "DELETE FROM tokens WHERE user_name = $1", name, NULL);
}

bool catalog_user_delete(Catalog *catalog, const char *name, unsigned expected_version,
                         GError **error)
{
    return db_begin(catalog->db, LOCK, error) &&
           end_transaction(catalog, remove_user(catalog, name, expected_version, error), error);
}
