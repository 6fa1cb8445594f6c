/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlitemigrations.h"

#include "source/migrations.h"
#include "source/sqlitequery.h"
#include <string.h>

#define PARTS_MAX 2

typedef struct {
    sqlite3 *db;
    const char *name;
    json_t *migrations;
    GError *problem;
} Search;

typedef struct {
    MigrationList *list;
    unsigned n; /* parts of a name */
} Reading;

static bool take_row(sqlite3_stmt *statement, void *user)
{
    Reading *reading = user;
    const char *parts[PARTS_MAX] = { NULL };

    for (unsigned i = 0; i < reading->n; i++)
        parts[i] = (const char *)sqlite3_column_text(statement, (int)i);
    migration_list_add(reading->list, parts, reading->n);
    return true;
}

static void read_table(Search *search, const MigrationTool *tool)
{
    g_autofree char *sql = g_strdup_printf("SELECT %s FROM main.\"%s\" %s LIMIT %d", tool->select,
                                           tool->table, tool->rest, MIGRATIONS_MAX);
    Reading reading = { migration_list_new(), strchr(tool->select, ',') ? PARTS_MAX : 1 };
    bool ok = sqlite_query(search->db, search->name, sql, take_row, &reading, &search->problem);
    json_t *object = migration_list_end(reading.list, tool, NULL);

    if (ok)
        (void)json_array_append(search->migrations, object);
    json_decref(object);
}

/* Table, ",column,column,", and whether the table beside it that matters is there. */
static bool look_at_table(sqlite3_stmt *statement, void *user)
{
    Search *search = user;
    const char *table = (const char *)sqlite3_column_text(statement, 0);
    const char *columns = (const char *)sqlite3_column_text(statement, 1);

    for (size_t i = 0; i < n_migration_tools && !search->problem; i++)
        if (table && columns &&
            migration_tool_fits(&migration_tools[i], table, columns,
                                sqlite3_column_int(statement, 2) != 0))
            read_table(search, &migration_tools[i]);
    return !search->problem;
}

bool sqlite_migrations(sqlite3 *db, const char *name, json_t **ret_migrations, GError **error)
{
    // a table that a module makes up has no root page, and may be made to harm
    static const char tables[] =
        "SELECT s.name, (SELECT ',' || group_concat(c.name, ',') || ',' FROM"
        " pragma_table_info(s.name) c), EXISTS (SELECT 1 FROM sqlite_schema b WHERE"
        " b.type = 'table' AND b.name = 'ar_internal_metadata') FROM sqlite_schema s"
        " WHERE s.type = 'table' AND s.rootpage > 0 AND s.name IN ('_prisma_migrations',"
        " 'django_migrations', 'schema_migrations', 'flyway_schema_history', 'alembic_version')"
        " ORDER BY 1";
    Search search = { .db = db, .name = name, .migrations = json_array() };
    bool ok = sqlite_query(db, name, tables, look_at_table, &search, error);

    if (ok && search.problem) {
        g_propagate_error(error, g_steal_pointer(&search.problem));
        ok = false;
    }
    g_clear_error(&search.problem);
    if (ok)
        *ret_migrations = search.migrations;
    else
        json_decref(search.migrations);
    return ok;
}
