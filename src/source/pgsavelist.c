/* SPDX-License-Identifier: Apache-2.0 */
/* Which databases of a server are saved, and why others are not. */
#include "pg/pattern.h"
#include "source/pgfacts.h"
#include "source/pgsaving.h"

/* Adds what matches. */
static bool match(PgConn *conn, const char *pattern, GHashTable *excluded, GPtrArray *notes,
                  GError **error)
{
    g_autofree char *regex = pg_pattern_regex(pattern, error);
    const char *params[] = { regex, NULL };
    g_autoptr(PgRows) rows =
        regex ? pg_query(conn,
                         "SELECT datname FROM pg_catalog.pg_database"
                         " WHERE datname::pg_catalog.text OPERATOR(pg_catalog.~) $1",
                         params, error)
              : NULL;

    if (!rows) {
        g_prefix_error(error, "--exclude-database: ");
        return false;
    }
    for (int i = 0; i < pg_rows_count(rows); i++)
        g_hash_table_insert(excluded, g_strdup(pg_rows_get(rows, i, 0)), g_strdup(pattern));
    // one that has stopped to match saves more than was wanted
    if (notes && pg_rows_count(rows) == 0)
        g_ptr_array_add(notes, g_strdup_printf("--exclude-database %s: there is none", pattern));
    return true;
}

GHashTable *pg_save_excluded(const PostgresSource *source, PgConn *conn, GPtrArray *notes,
                             GError **error)
{
    g_autoptr(GHashTable) excluded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (char **pattern = source->exclude_databases; pattern && *pattern; pattern++)
        if (!match(conn, *pattern, excluded, notes, error))
            return NULL;
    return g_steal_pointer(&excluded);
}

static void skip(json_t *skipped, const char *name, const char *reason)
{
    json_t *note = json_object();

    (void)json_object_set_new(note, "name", pg_facts_text(name, NULL));
    (void)json_object_set_new(note, "reason", pg_facts_text(reason, NULL));
    (void)json_array_append_new(skipped, note);
}

static const char *unreachable(bool interrupted)
{
    return interrupted ? "left behind by an interrupted DROP DATABASE"
                       : "connections are not allowed";
}

/* One that was made since was not there at the moment that is held. */
static bool is_younger(const PgSave *save, const char *database)
{
    const PgMoment *moment = save->source->moment;

    return moment && !pg_moment_snapshot(moment, database);
}

GStrv pg_save_list(PgSave *save, PgConn *conn, GError **error)
{
    g_autoptr(GHashTable) excluded =
        pg_save_excluded(save->source, conn, save->source->base.notes, error);
    g_autoptr(PgRows) rows = excluded
                                 ? pg_query(conn,
                                            "SELECT datname, datallowconn AND datconnlimit <> -2,"
                                            " datconnlimit = -2 FROM pg_database"
                                            " WHERE NOT datistemplate ORDER BY 1",
                                            NULL, error)
                                 : NULL;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    json_t *skipped;

    if (!rows)
        return NULL;
    skipped = json_array();
    for (int i = 0; i < pg_rows_count(rows); i++) {
        const char *name = pg_rows_get(rows, i, 0);
        const char *pattern = g_hash_table_lookup(excluded, name);
        g_autofree char *reason = g_strdup_printf("--exclude-database %s", pattern ? pattern : "");

        if (pattern)
            skip(skipped, name, reason);
        else if (pg_rows_bool(rows, i, 1) && is_younger(save, name))
            skip(skipped, name, "made after the moment of its group");
        else if (pg_rows_bool(rows, i, 1))
            g_strv_builder_add(names, name);
        else
            skip(skipped, name, unreachable(pg_rows_bool(rows, i, 2)));
    }
    (void)json_object_set_new(save->manifest, "skipped", skipped);
    return g_strv_builder_end(names);
}
