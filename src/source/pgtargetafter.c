/* SPDX-License-Identifier: Apache-2.0 */
/* After a restore: the rows are compared, settings applied, statistics made. */
#include "base/error.h"
#include "source/pgtargeting.h"
#include <string.h>

/* Names in a dump are in its encoding. */
static bool speak_as_dumped(PgTarget *target, GError **error)
{
    g_autofree char *encoding = target->dump ? pgdump_encoding(target->dump) : NULL;
    g_autofree char *quoted = pg_quote_text(encoding ? encoding : "UTF8");
    g_autofree char *sql = g_strdup_printf("SET client_encoding = %s", quoted);

    return pg_exec(target->conn, sql, error);
}

static bool compare_table(PgTarget *target, const char *schema, const char *table, int64_t want,
                          GPtrArray *differences, GError **error)
{
    g_autofree char *name = pg_quote_name(schema, table);
    g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM ONLY %s", name);
    g_autoptr(GError) failure = NULL;
    int64_t rows;

    if (pg_query_number(target->conn, sql, NULL, &rows, &failure)) {
        if (rows != want)
            g_ptr_array_add(differences, g_strdup_printf("%s.%s has %" G_GINT64_FORMAT
                                                         " rows instead of %" G_GINT64_FORMAT,
                                                         schema, table, rows, want));
        return true;
    }
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_ptr_array_add(differences, g_strdup_printf("%s.%s is missing", schema, table));
    return true;
}

/* Names of a record are UTF-8. */
static bool compare_recorded(PgTarget *target, GPtrArray *differences, GError **error)
{
    const json_t *table;
    size_t i;

    json_array_foreach(json_object_get(target->options->recorded, "tables"), i, table)
    {
        const char *schema = json_string_value(json_object_get(table, "schema"));
        const char *name = json_string_value(json_object_get(table, "name"));

        if (!schema || !name || !json_is_integer(json_object_get(table, "rows")))
            continue;
        if (!compare_table(target, schema, name, json_integer_value(json_object_get(table, "rows")),
                           differences, error))
            return false;
    }
    return true;
}

static bool compare_tables(PgTarget *target, GHashTable *chosen, GPtrArray *differences,
                           GError **error)
{
    const GPtrArray *entries;

    if (!speak_as_dumped(target, error))
        return false;
    if (!target->dump)
        return compare_recorded(target, differences, error);
    entries = pgdump_entries(target->dump);
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "TABLE DATA") != 0 || entry->rows < 0 ||
            (chosen && !g_hash_table_contains(chosen, entry)))
            continue;
        if (!compare_table(target, entry->schema, entry->tag, entry->rows, differences, error))
            return false;
    }
    return true;
}

bool pg_target_compare(PgTarget *target, GHashTable *chosen, GError **error)
{
    g_autoptr(GPtrArray) differences = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *some = NULL;

    if (!compare_tables(target, chosen, differences, error)) {
        g_prefix_error(error, "restored, but its rows were not compared: ");
        return false;
    }
    if (differences->len == 0)
        return true;
    some = pg_target_list_some(differences);
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH, "restored, but not what was dumped: %s", some);
    return false;
}

bool pg_target_apply_settings(PgTarget *target, GError **error)
{
    const GPtrArray *entries = pgdump_entries(target->dump);
    bool same_name =
        g_strcmp0(pgdump_header(target->dump)->database, pg_url_database(target->url)) == 0;

    for (guint i = 0; target->created && i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "DATABASE PROPERTIES") != 0 || !entry->definition)
            continue;
        // the statements name the database that was dumped
        if (!same_name)
            pg_target_note(target, "settings of database %s as a whole were not applied to %s",
                           pgdump_header(target->dump)->database, pg_url_database(target->url));
        else if (!pg_exec(target->conn, entry->definition, error))
            return false;
    }
    return true;
}

static bool analyze(PgTarget *target, const char *sql, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (pg_exec(target->conn, sql, &failure))
        return true;
    if (cancel_is_set(target->options->cancel)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                   "restored and compared, but %s was not done: ", sql);
        return false;
    }
    pg_target_note(target, "restored, but %s failed: %s", sql, failure->message);
    return true;
}

bool pg_target_analyze(PgTarget *target, GHashTable *chosen, GError **error)
{
    GHashTableIter iter;
    gpointer key;

    if (!chosen)
        return analyze(target, "ANALYZE", error);
    g_hash_table_iter_init(&iter, chosen);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const PgDumpEntry *entry = key;
        g_autofree char *name = NULL, *sql = NULL;

        if (strcmp(entry->desc, "TABLE") != 0 && strcmp(entry->desc, "MATERIALIZED VIEW") != 0)
            continue;
        name = pg_quote_name(entry->schema, entry->tag);
        sql = g_strconcat("ANALYZE ", name, NULL);
        if (!analyze(target, sql, error))
            return false;
    }
    return true;
}
