/* SPDX-License-Identifier: Apache-2.0 */
/* What a target holds, and what of it a restore would meet. */
#include "base/error.h"
#include "source/pgtargeting.h"

static const char own_objects[] =
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
    "c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ "
    "'^pg_(toast|temp_)'"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " UNION ALL "
    "SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = "
    "p.pronamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (SELECT FROM "
    "pg_depend d"
    " WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')"
    " UNION ALL "
    "SELECT 'large object ' || oid::text FROM pg_largeobject_metadata";

static GPtrArray *list_objects(PgTarget *target, GError **error)
{
    g_autoptr(PgRows) rows = NULL;
    GPtrArray *names;

    if (target->absent)
        return g_ptr_array_new();
    rows = pg_query(target->conn, own_objects, NULL, error);
    names = rows ? g_ptr_array_new_with_free_func(g_free) : NULL;
    for (int i = 0; rows && i < pg_rows_count(rows); i++)
        g_ptr_array_add(names, g_strdup(pg_rows_get(rows, i, 0)));
    return names;
}

bool pg_target_count(PgTarget *target, unsigned *ret_objects, GError **error)
{
    g_autoptr(GPtrArray) objects = list_objects(target, error);

    if (!objects)
        return false;
    *ret_objects = objects->len;
    return true;
}

/* "schema.name" of what is to be restored. */
static GHashTable *names_of(const PgTarget *target, const GHashTable *chosen)
{
    const GPtrArray *entries = pgdump_entries(target->dump);
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (entry->schema && (!chosen || g_hash_table_contains((GHashTable *)chosen, entry)))
            g_hash_table_add(names, g_strconcat(entry->schema, ".", entry->tag, NULL));
    }
    return names;
}

/* What of the target has the name of a chosen relation. */
static GPtrArray *meet(const PgTarget *target, const GPtrArray *objects, const GHashTable *chosen)
{
    GPtrArray *met = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) names = names_of(target, chosen);

    for (guint i = 0; i < objects->len; i++)
        if (g_hash_table_contains(names, objects->pdata[i]))
            g_ptr_array_add(met, g_strdup(objects->pdata[i]));
    return met;
}

static const char all_partitions[] =
    "SELECT cn.nspname || '.' || c.relname, pn.nspname || '.' || p.relname FROM pg_inherits i"
    " JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace"
    " JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace"
    " WHERE p.relkind = 'p' ORDER BY 1";

/* DROP TABLE takes the partitions along, whether the dump brings them back or not. */
static bool check_partitions(PgTarget *target, const GHashTable *chosen, GError **error)
{
    g_autoptr(GHashTable) names = names_of(target, chosen);
    g_autoptr(PgRows) rows = pg_query(target->conn, all_partitions, NULL, error);
    g_autoptr(GPtrArray) lost = g_ptr_array_new();
    g_autofree char *some = NULL;

    if (!rows)
        return false;
    for (int i = 0; i < pg_rows_count(rows); i++)
        if (g_hash_table_contains(names, pg_rows_get(rows, i, 1)) &&
            !g_hash_table_contains(names, pg_rows_get(rows, i, 0)))
            g_ptr_array_add(lost, (gpointer)pg_rows_get(rows, i, 0));
    if (lost->len == 0)
        return true;
    some = pg_target_list_some(lost);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "database %s holds partitions that the dump does not have and that would be "
                "dropped with their tables: %s; detach them first, or let them go with --force",
                pg_url_database(target->url), some);
    return false;
}

bool pg_target_check_room(PgTarget *target, const GHashTable *chosen, GError **error)
{
    g_autoptr(GPtrArray) objects = NULL;
    g_autoptr(GPtrArray) met = NULL;
    g_autofree char *some = NULL;

    if (target->options->force || target->absent)
        return true;
    if (target->options->clean)
        return check_partitions(target, chosen, error);
    objects = list_objects(target, error);
    if (!objects)
        return false;
    met = chosen ? meet(target, objects, chosen) : g_ptr_array_ref(objects);
    if (met->len == 0)
        return true;
    some = pg_target_list_some(met);
    g_set_error(
        error, BS_ERROR, BS_ERROR_NOT_EMPTY,
        "database %s already holds %s; restore into a new database (--create), or replace what "
        "is there with --clean",
        pg_url_database(target->url), some);
    return false;
}

GHashTable *pg_target_schemas(PgTarget *target, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(target->conn,
                                      target->absent ? "SELECT 'public'" // as in template0
                                                     : "SELECT nspname FROM pg_namespace",
                                      NULL, error);
    GHashTable *names = rows ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) : NULL;

    for (int i = 0; rows && i < pg_rows_count(rows); i++)
        g_hash_table_add(names, g_strdup(pg_rows_get(rows, i, 0)));
    return names;
}
