/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgheld.h"

struct PgHeld {
    GHashTable *databases; /* name -> set of "oid" */
};

static const char tables[] =
    "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname !~ '^pg_(toast|temp_)'";

PgHeld *pg_held_new(void)
{
    PgHeld *held = g_new0(PgHeld, 1);

    held->databases =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    return held;
}

void pg_held_free(PgHeld *held)
{
    if (!held)
        return;
    g_hash_table_unref(held->databases);
    g_free(held);
}

static bool has_rows(PgConn *conn, const char *schema, const char *name, bool *ret_has,
                     GError **error)
{
    g_autofree char *quoted = pg_quote_name(schema, name);
    g_autofree char *sql = g_strdup_printf("SELECT EXISTS (SELECT FROM ONLY %s)::int", quoted);
    int64_t has;

    if (!pg_query_number(conn, sql, NULL, &has, error))
        return false;
    *ret_has = has != 0;
    return true;
}

bool pg_held_look(PgHeld *held, PgConn *conn, GError **error)
{
    g_autoptr(GHashTable) oids = NULL;
    g_autoptr(PgRows) rows = NULL;

    if (g_hash_table_contains(held->databases, pg_conn_database(conn)))
        return true;
    oids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    rows = pg_query(conn, tables, NULL, error);
    for (int i = 0; rows && i < pg_rows_count(rows); i++) {
        bool has;

        if (!has_rows(conn, pg_rows_get(rows, i, 1), pg_rows_get(rows, i, 2), &has, error))
            return false;
        if (has)
            g_hash_table_add(oids, g_strdup(pg_rows_get(rows, i, 0)));
    }
    if (rows)
        g_hash_table_insert(held->databases, g_strdup(pg_conn_database(conn)),
                            g_steal_pointer(&oids));
    return rows != NULL;
}

bool pg_held_has(const PgHeld *held, PgConn *conn, const char *name, bool *ret_has, GError **error)
{
    GHashTable *oids = g_hash_table_lookup(held->databases, pg_conn_database(conn));
    g_autofree char *text = pg_quote_text(name);
    g_autofree char *sql = g_strdup_printf("SELECT %s::regclass::oid", text);
    g_autoptr(PgRows) rows = oids ? pg_query(conn, sql, NULL, error) : NULL;

    *ret_has =
        rows && pg_rows_count(rows) > 0 && g_hash_table_contains(oids, pg_rows_get(rows, 0, 0));
    return !oids || rows;
}
