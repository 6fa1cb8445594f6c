/* SPDX-License-Identifier: Apache-2.0 */
#include "state/settings.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/cataloging.h"

bool catalog_setting_get(Catalog *catalog, const char *name, json_t **ret_value,
                         unsigned *ret_version, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT value, version FROM backup_settings WHERE name = $1", error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, name);
    if (!db_step(query, &found, error))
        return false;
    if (!found) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no setting %s", name);
        return false;
    }
    if (!catalog_read_json(query, 0, "a setting", ret_value, error))
        return false;
    if (ret_version)
        *ret_version = (unsigned)db_int(query, 1);
    return true;
}

/* $1 to $4: what is put there, when and by whom. */
static DbQuery *query_put(Catalog *catalog, const char *sql, const char *name, const json_t *value,
                          const char *by, GError **error)
{
    DbQuery *query = db_query(catalog->db, sql, error);

    if (!query)
        return NULL;
    db_bind_text(query, 1, name);
    catalog_bind_json(query, 2, value);
    db_bind_int(query, 3, clock_now_ms());
    db_bind_text(query, 4, by);
    return query;
}

static bool insert(Catalog *catalog, const char *name, const json_t *value, const char *by,
                   int64_t *ret_changed, GError **error)
{
    g_autoptr(DbQuery) query =
        query_put(catalog,
                  "INSERT INTO backup_settings (name, value, version, updated_at, updated_by)"
                  " VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING",
                  name, value, by, error);

    return query && db_run(query, ret_changed, error);
}

static bool update(Catalog *catalog, const char *name, const json_t *value, unsigned version,
                   const char *by, int64_t *ret_changed, GError **error)
{
    g_autoptr(DbQuery) query =
        query_put(catalog,
                  "UPDATE backup_settings SET value = $2, version = version + 1, updated_at = $3,"
                  " updated_by = $4 WHERE name = $1 AND version = $5",
                  name, value, by, error);

    if (!query)
        return false;
    db_bind_int(query, 5, version);
    return db_run(query, ret_changed, error);
}

bool catalog_setting_put(Catalog *catalog, const char *name, const json_t *value,
                         unsigned expected_version, const char *by, GError **error)
{
    g_autoptr(json_t) now = NULL;
    unsigned version;
    int64_t changed;

    if (expected_version == 0
            ? !insert(catalog, name, value, by, &changed, error)
            : !update(catalog, name, value, expected_version, by, &changed, error))
        return false;
    if (changed == 1)
        return true;
    if (catalog_setting_get(catalog, name, &now, &version, error))
        g_set_error(error, BS_ERROR, BS_ERROR_STALE,
                    "setting %s was changed meanwhile, it has version %u; read it again", name,
                    version);
    return false;
}

bool catalog_setting_delete(Catalog *catalog, const char *name, GError **error)
{
    return catalog_run(catalog, NULL, error, "DELETE FROM backup_settings WHERE name = $1", name,
                       NULL);
}
