/* SPDX-License-Identifier: Apache-2.0 */
#include "state/catalog.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "state/cataloging.h"
#include "state/migrate.h"
#include <stdarg.h>

/* ---- for the neighbours ---- */

char *catalog_new_id(int64_t at_ms)
{
    uint8_t random[10];
    GString *id = g_string_new(NULL);

    random_bytes(random, sizeof random);
    g_string_printf(id, "%012" G_GINT64_MODIFIER "x", CLAMP(at_ms, 0, 0xffffffffffff));
    for (size_t i = 0; i < sizeof random; i++)
        g_string_append_printf(id, "%02x", random[i]);
    return g_string_free(id, FALSE);
}

char *catalog_json_text(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
}

void catalog_bind_json(DbQuery *query, unsigned n, const json_t *value)
{
    g_autofree char *text = catalog_json_text(value);

    db_bind_text(query, n, text);
}

bool catalog_read_json(DbQuery *query, unsigned column, const char *what, json_t **ret_value,
                       GError **error)
{
    const char *text = db_row_text(query, column);
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (text && !value) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the catalogue is damaged: %s is no JSON; run `backstay catalog rebuild`",
                    what);
        return false;
    }
    *ret_value = value;
    return true;
}

bool catalog_run(Catalog *catalog, int64_t *ret_changed, GError **error, const char *sql, ...)
{
    g_autoptr(DbQuery) query = db_query(catalog->db, sql, error);
    const char *text;
    unsigned n = 0;
    va_list args;

    if (!query)
        return false;
    va_start(args, sql);
    while ((text = va_arg(args, const char *)))
        db_bind_text(query, ++n, text);
    va_end(args);
    return db_run(query, ret_changed, error);
}

/* ---- opening ---- */

static void keep_place(Catalog *catalog, const char *url, const Secret *password)
{
    catalog->url = g_strdup(url);
    if (password)
        catalog->password = secret_new(secret_data(password), secret_len(password));
}

static bool open_at(const char *url, const Secret *password, DbFlags flags, Catalog **ret_catalog,
                    GError **error)
{
    g_autoptr(Catalog) catalog = g_new0(Catalog, 1);

    if (!db_open(url, password, flags, migrate_new, &catalog->db, error) ||
        !migrate(catalog->db, error))
        return false;
    keep_place(catalog, url, password);
    *ret_catalog = g_steal_pointer(&catalog);
    return true;
}

bool catalog_open(const char *url, const Secret *password, Catalog **ret_catalog, GError **error)
{
    return open_at(url, password, DB_CHECK, ret_catalog, error);
}

bool catalog_reopen(const Catalog *catalog, Catalog **ret_catalog, GError **error)
{
    return open_at(catalog->url, catalog->password, DB_EXISTING, ret_catalog, error);
}

bool catalog_open_existing(const char *url, const Secret *password, Catalog **ret_catalog,
                           GError **error)
{
    g_autoptr(Catalog) catalog = g_new0(Catalog, 1);

    if (!db_open(url, password, DB_EXISTING, NULL, &catalog->db, error) ||
        !migrate_check(catalog->db, error))
        return false;
    keep_place(catalog, url, password);
    *ret_catalog = g_steal_pointer(&catalog);
    return true;
}

void catalog_free(Catalog *catalog)
{
    if (!catalog)
        return;
    g_clear_pointer(&catalog->db, db_free);
    g_clear_pointer(&catalog->password, secret_free);
    g_free(catalog->url);
    g_free(catalog);
}

const char *catalog_name(const Catalog *catalog)
{
    return db_name(catalog->db);
}

const char *catalog_url(const Catalog *catalog)
{
    return catalog->url;
}

bool catalog_ping(Catalog *catalog, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT max(version) FROM catalog_version", error);
    bool row;

    return query && db_step(query, &row, error) && db_check_place(catalog->db, error);
}

void catalog_rest(Catalog *catalog)
{
    db_rest(catalog->db);
}

unsigned catalog_version(void)
{
    return migrate_newest();
}
