/* SPDX-License-Identifier: Apache-2.0 */
/* A plain dump, the script that pg_dump or pg_dumpall has written. */
#include "pg/url.h"
#include "source/importing.h"
#include "source/pgfacts.h"
#include "source/pgscan.h"

static bool feed(void *user, const void *data, size_t len, GError **error)
{
    return pg_scan_feed(user, data, len, error);
}

static bool finish(void *user, GError **error)
{
    return pg_scan_finish(user, error);
}

/* The script does not say which; what was exported before does. */
static char *database_of(const Import *import)
{
    bool alone = import->inlet == import->source->inlet;
    const char *said =
        alone ? json_string_value(json_object_get(import->source->sidecar, "database")) : NULL;

    if (import->source->database)
        return g_strdup(import->source->database);
    return said && *said ? g_strdup(said) : import_stem(import->file);
}

static json_t *describe_table(const PgScanTable *table, const char *encoding)
{
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "schema",
                              pg_facts_text(table->schema ? table->schema : "public", encoding));
    (void)json_object_set_new(facts, "name", pg_facts_text(table->name, encoding));
    (void)json_object_set_new(facts, "bytes", json_integer((json_int_t)table->bytes));
    (void)json_object_set_new(facts, "rows", json_integer((json_int_t)table->rows));
    (void)json_object_set_new(facts, "sha256", json_string(id_hex(&table->sha256).text));
    return facts;
}

/* Of several databases in one script tables have no name of their own. */
static void add_tables(const PgScan *scan, json_t *facts)
{
    const GPtrArray *tables = pg_scan_tables(scan);
    json_t *list;

    if (pg_scan_is_cluster(scan) || !pg_scan_counts_all(scan))
        return;
    list = json_array();
    for (guint i = 0; i < tables->len; i++)
        (void)json_array_append_new(list, describe_table(tables->pdata[i], pg_scan_encoding(scan)));
    (void)json_object_set_new(facts, "tables", list);
}

static json_t *describe_script(const PgScan *scan)
{
    json_t *script = json_object();

    (void)json_object_set_new(script, "connects", json_boolean(pg_scan_connects(scan) != NULL));
    return script;
}

static void describe(Import *import, const char *name, const PgScan *scan, json_t *facts)
{
    const GPtrArray *extensions = pg_scan_extensions(scan);
    json_t *list = json_array();

    for (guint i = 0; i < extensions->len; i++)
        import_add_extension(list, extensions->pdata[i]);
    (void)json_object_set_new(facts, "script", describe_script(scan));
    (void)json_object_set_new(facts, "extensions", list);
    if (pg_scan_encoding(scan))
        (void)json_object_set_new(facts, "encoding", pg_facts_text(pg_scan_encoding(scan), NULL));
    if (pg_scan_server_version(scan))
        (void)json_object_set_new(facts, "server_version",
                                  pg_facts_text(pg_scan_server_version(scan), NULL));
    (void)json_object_set_new(facts, "pg_dump_version",
                              pg_facts_text(pg_scan_dump_version(scan), NULL));
    add_tables(scan, facts);
    import_add_database(import, name, pg_scan_server_version(scan), facts);
}

bool import_sql(Import *import, GError **error)
{
    g_autofree char *name = database_of(import);
    g_autofree char *escaped = pg_escape_name(name);
    g_autofree char *file = g_strconcat(escaped, ".sql", NULL);
    g_autoptr(PgScan) scan = pg_scan_new();
    PgWatcher watcher = { feed, finish, NULL, scan };
    json_t *facts = json_object();
    bool ok = import_claim(import, file, error) &&
              pg_push_inlet(&import->push, import->inlet, file, &watcher, facts, error);

    if (ok)
        describe(import, name, scan, facts);
    json_decref(facts);
    return ok;
}

/* Roles and tablespaces of a server, as a backup of all its databases has them. */
bool import_globals(Import *import, GError **error)
{
    static const char file[] = "globals.sql";
    g_autoptr(PgScan) scan = pg_scan_new();
    PgWatcher watcher = { feed, finish, NULL, scan };
    json_t *facts = json_object();
    bool ok = import_claim(import, file, error) &&
              pg_push_inlet(&import->push, import->inlet, file, &watcher, facts, error);

    if (ok) {
        (void)json_object_set_new(facts, "role_passwords",
                                  json_boolean(pg_scan_has_passwords(scan)));
        (void)json_object_set(import->manifest, "globals", facts);
    }
    json_decref(facts);
    return ok;
}
