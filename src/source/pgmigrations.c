/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgmigrations.h"

#include "base/error.h"
#include "source/migrations.h"
#include <string.h>

#define PARTS_MAX 2

/* Nobody shall wait for a change that is under way. */
static bool set_timeouts(PgConn *conn, GError **error)
{
    g_autoptr(PgRows) one = pg_query(conn, "SET statement_timeout = '30s'", NULL, error);
    g_autoptr(PgRows) two = one ? pg_query(conn, "SET lock_timeout = '5s'", NULL, error) : NULL;

    return two != NULL;
}

/* Schema, name, ",column,column,", and the tables beside it that matter. */
static PgRows *list_tables(PgConn *conn, GError **error)
{
    return pg_query(
        conn,
        "SELECT n.nspname, c.relname, ',' || pg_catalog.array_to_string(ARRAY("
        "SELECT a.attname FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ',') || ',',"
        " EXISTS (SELECT 1 FROM pg_catalog.pg_class b WHERE b.relnamespace = c.relnamespace"
        " AND b.relname = 'ar_internal_metadata')"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND c.relname IN ('_prisma_migrations',"
        " 'django_migrations', 'schema_migrations', 'flyway_schema_history', 'alembic_version')"
        " ORDER BY 1, 2",
        NULL, error);
}

static json_t *read_table(PgConn *conn, const MigrationTool *tool, const char *schema,
                          GError **error)
{
    g_autofree char *name = pg_quote_name(schema, tool->table);
    g_autofree char *sql = g_strdup_printf("SELECT %s FROM %s %s LIMIT %d", tool->select, name,
                                           tool->rest, MIGRATIONS_MAX);
    g_autoptr(PgRows) rows = pg_query(conn, sql, NULL, error);
    unsigned n = strchr(tool->select, ',') ? PARTS_MAX : 1;
    MigrationList *list;

    if (!rows)
        return NULL;
    list = migration_list_new();
    for (int i = 0; i < pg_rows_count(rows); i++) {
        const char *parts[PARTS_MAX] = { NULL };

        for (unsigned k = 0; k < n; k++)
            parts[k] = pg_rows_get(rows, i, (int)k);
        migration_list_add(list, parts, n);
    }
    return migration_list_end(list, tool, schema);
}

static bool add_table(PgConn *conn, const PgRows *rows, int i, json_t *migrations, GError **error)
{
    const char *schema = pg_rows_get(rows, i, 0), *table = pg_rows_get(rows, i, 1);

    for (size_t k = 0; k < n_migration_tools; k++) {
        json_t *object;

        if (!migration_tool_fits(&migration_tools[k], table, pg_rows_get(rows, i, 2),
                                 pg_rows_bool(rows, i, 3)))
            continue;
        object = read_table(conn, &migration_tools[k], schema, error);
        if (!object) {
            g_prefix_error(error, "%s.%s: ", schema, table);
            return false;
        }
        json_array_append_new(migrations, object);
    }
    return true;
}

bool pg_migrations(PgConn *conn, json_t **ret_migrations, GError **error)
{
    json_auto_t *migrations = json_array();
    g_autoptr(PgRows) rows = NULL;

    if (!set_timeouts(conn, error))
        return false;
    rows = list_tables(conn, error);
    for (int i = 0; rows && i < pg_rows_count(rows); i++)
        if (!add_table(conn, rows, i, migrations, error))
            return false;
    if (!rows)
        return false;
    *ret_migrations = g_steal_pointer(&migrations);
    return true;
}
