/* SPDX-License-Identifier: Apache-2.0 */
#include "source/migrations.h"

#include "codec/hash.h"
#include <string.h>

/*
 * Prisma: schema-engine, table _prisma_migrations. Django: MigrationRecorder.Migration. Rails:
 * ActiveRecord::SchemaMigration, since 5.0 beside ar_internal_metadata (other tools have the same
 * table without it). Flyway documentation, "Flyway schema history table". Alembic documentation,
 * "version_table": one row for each head. golang-migrate, database drivers: one row, and whether
 * the last change was left half done.
 */
const MigrationTool migration_tools[] = {
    { "prisma", "_prisma_migrations", ",migration_name,finished_at,rolled_back_at,started_at,",
      .select = "migration_name",
      .rest = "WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
              " ORDER BY started_at, migration_name" },
    { "django", "django_migrations", ",id,app,name,applied,", .select = "app, name",
      .rest = "ORDER BY id" },
    { "rails", "schema_migrations", ",version,", .exact = true, .beside = "ar_internal_metadata",
      .select = "version", .rest = "ORDER BY version" },
    { "golang-migrate", "schema_migrations", ",version,dirty,", .exact = true,
      .select = "version, CASE WHEN dirty THEN 'dirty' END", .rest = "ORDER BY version" },
    { "flyway", "flyway_schema_history", ",installed_rank,version,script,success,",
      .select = "script", .rest = "WHERE success ORDER BY installed_rank" },
    { "alembic", "alembic_version", ",version_num,", .exact = true, .select = "version_num",
      .rest = "ORDER BY version_num" },
};
const size_t n_migration_tools = G_N_ELEMENTS(migration_tools);

static bool has_all(const char *columns, const char *needs, unsigned *n)
{
    g_auto(GStrv) names = g_strsplit(needs, ",", -1);

    *n = 0;
    for (char **name = names; *name; name++) {
        g_autofree char *between = g_strconcat(",", *name, ",", NULL);

        if (!**name)
            continue;
        ++*n;
        if (!strstr(columns, between))
            return false;
    }
    return true;
}

static unsigned count_columns(const char *columns)
{
    unsigned commas = 0;

    for (; *columns; columns++)
        commas += *columns == ',';
    return commas > 0 ? commas - 1 : 0;
}

bool migration_tool_fits(const MigrationTool *tool, const char *table, const char *columns,
                         bool has_beside)
{
    unsigned n;

    return strcmp(tool->table, table) == 0 && has_all(columns, tool->needs, &n) &&
           (!tool->exact || count_columns(columns) == n) && (!tool->beside || has_beside);
}

/* ---- what is in one ---- */

struct MigrationList {
    Hash *hash;
    GString *newest; /* the last one */
    int64_t n;
};

MigrationList *migration_list_new(void)
{
    MigrationList *list = g_new0(MigrationList, 1);

    list->hash = hash_new();
    list->newest = g_string_new(NULL);
    return list;
}

void migration_list_add(MigrationList *list, const char *const *parts, unsigned n)
{
    g_string_truncate(list->newest, 0);
    for (unsigned i = 0; i < n; i++)
        if (parts[i])
            g_string_append_printf(list->newest, "%s%s", list->newest->len > 0 ? "." : "",
                                   parts[i]);
    hash_update(list->hash, list->newest->str, list->newest->len);
    hash_update(list->hash, "\n", 1);
    list->n++;
}

json_t *migration_list_end(MigrationList *list, const MigrationTool *tool, const char *schema)
{
    g_autofree char *newest = g_utf8_make_valid(list->newest->str, -1);
    json_t *object;
    Id sha256;

    hash_final(list->hash, &sha256);
    object = json_pack("{s:s, s:s, s:I, s:s, s:s?}", "tool", tool->tool, "table", tool->table,
                       "count", (json_int_t)list->n, "sha256", id_hex(&sha256).text, "newest",
                       list->n > 0 ? newest : NULL);
    if (schema)
        json_object_set_new(object, "schema", json_string(schema));
    hash_free(list->hash);
    g_string_free(list->newest, TRUE);
    g_free(list);
    return object;
}
