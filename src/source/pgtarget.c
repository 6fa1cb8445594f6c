/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgtarget.h"
#include "base/error.h"
#include "pg/tools.h"
#include <string.h>

#define LISTED_MAX 5 /* things that an error names before it only counts */

struct PgTarget {
    const PgUrl *url;
    const PgDump *dump;
    const PgTargetOptions *options;
    PgConn *conn;
    bool made; /* by us, and not yet to be kept */
    bool created;
    bool absent; /* and only looked at: conn is to another database of the server */
};

static void note(const PgTarget *target, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(const PgTarget *target, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (!target->options->note)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    target->options->note(text, target->options->user);
}

static const char *recorded(const PgTarget *target, const char *key)
{
    return json_string_value(json_object_get(target->options->recorded, key));
}

/* ---- before ---- */

static bool check_version(PgTarget *target, PgConn *conn, GError **error)
{
    const char *dumped_text = pgdump_header(target->dump)->server_version;
    int dumped = dumped_text ? pg_version_parse(dumped_text) : 0;
    int here = pg_conn_version(conn);

    if (pg_major(here) >= pg_major(dumped))
        return true;
    if (target->options->force) {
        note(target, "the dump is of PostgreSQL %s, the target is %s", dumped_text,
             pg_conn_version_text(conn));
        return true;
    }
    g_set_error(
        error, BS_ERROR, BS_ERROR_VERSION,
        "the dump is of PostgreSQL %s, the target is older: %s; restore to a newer server, or "
        "try with --force",
        dumped_text, pg_conn_version_text(conn));
    return false;
}

static bool check_extensions(PgTarget *target, GError **error)
{
    const GPtrArray *entries = pgdump_entries(target->dump);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];
        const char *params[] = { entry->tag, NULL };
        int64_t n;

        if (strcmp(entry->desc, "EXTENSION") != 0)
            continue;
        if (!pg_query_number(target->conn,
                             "SELECT count(*) FROM pg_available_extensions WHERE name = $1", params,
                             &n, error))
            return false;
        if (n == 0) {
            g_set_error(
                error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "the dump needs extension %s, which the target server does not have; install "
                "the package that brings it",
                entry->tag);
            return false;
        }
    }
    return true;
}

static bool note_encoding(PgTarget *target, GError **error)
{
    g_autofree char *dumped = pgdump_encoding(target->dump);
    g_autoptr(PgRows) rows =
        pg_query(target->conn, "SELECT current_setting('server_encoding')", NULL, error);

    if (!rows)
        return false;
    if (dumped && strcmp(dumped, pg_rows_get(rows, 0, 0)) != 0)
        note(target, "the dump is in %s, the target database in %s", dumped,
             pg_rows_get(rows, 0, 0));
    return true;
}

/* With the locale that was recorded, or, with_locale false, the server's own. */
static char *create_statement(const PgTarget *target, PgConn *conn, bool with_locale)
{
    g_autofree char *dumped = pgdump_encoding(target->dump);
    const char *encoding = recorded(target, "encoding") ? recorded(target, "encoding") : dumped;
    g_autofree char *name = pg_quote_name(NULL, pg_url_database(target->url));
    GString *sql = g_string_new(NULL);

    g_string_printf(sql, "CREATE DATABASE %s TEMPLATE template0", name);
    if (encoding) {
        g_autofree char *text = pg_quote_text(encoding);

        g_string_append_printf(sql, " ENCODING %s", text);
    }
    if (with_locale && recorded(target, "collate") && recorded(target, "ctype")) {
        g_autofree char *collate = pg_quote_text(recorded(target, "collate"));
        g_autofree char *ctype = pg_quote_text(recorded(target, "ctype"));

        g_string_append_printf(sql, " LC_COLLATE %s LC_CTYPE %s", collate, ctype);
    }
    if (with_locale && pg_conn_version(conn) >= 150000 && recorded(target, "locale") &&
        g_strcmp0(recorded(target, "locale_provider"), "i") == 0) {
        g_autofree char *locale = pg_quote_text(recorded(target, "locale"));

        g_string_append_printf(sql, " LOCALE_PROVIDER icu ICU_LOCALE %s", locale);
    }
    return g_string_free(sql, FALSE);
}

static bool set_owner(PgTarget *target, PgConn *conn, GError **error)
{
    const char *owner = recorded(target, "owner");
    const char *params[] = { owner, NULL };
    g_autofree char *sql = NULL, *name = NULL, *quoted = NULL;
    int64_t n;

    if (!owner || target->options->no_owner)
        return true;
    if (!pg_query_number(conn, "SELECT count(*) FROM pg_roles WHERE rolname = $1", params, &n,
                         error))
        return false;
    if (n == 0) {
        note(target, "the owner of the database, %s, is no role of the target", owner);
        return true;
    }
    name = pg_quote_name(NULL, pg_url_database(target->url));
    quoted = pg_quote_name(NULL, owner);
    sql = g_strdup_printf("ALTER DATABASE %s OWNER TO %s", name, quoted);
    return pg_exec(conn, sql, error);
}

/* The server may lack the locale, for its system names it otherwise. */
static bool create_database(PgTarget *target, PgConn *conn, GError **error)
{
    g_autofree char *with_locale = create_statement(target, conn, true);
    g_autofree char *without = create_statement(target, conn, false);
    g_autoptr(GError) failure = NULL;

    if (!pg_exec(conn, with_locale, &failure)) {
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED) ||
            strcmp(with_locale, without) == 0) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!pg_exec(conn, without, error))
            return false;
        note(target, "the database has the server's own locale: %s", failure->message);
    }
    target->made = target->created = true;
    return set_owner(target, conn, error);
}

/* A connection to the same server, but another database. */
static PgConn *connect_beside(const PgTarget *target, const Cancel *cancel, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PgConn *conn = pg_connect(target->url, "postgres", cancel, &failure);

    if (!conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return pg_connect(target->url, "template1", cancel, error);
    if (!conn)
        g_propagate_error(error, g_steal_pointer(&failure));
    return conn;
}

static bool make_database(PgTarget *target, GError **error)
{
    const char *name = pg_url_database(target->url);
    g_autoptr(PgConn) conn = NULL;

    if (!target->options->create) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "there is no database %s; make it first, or restore with --create", name);
        return false;
    }
    conn = connect_beside(target, target->options->cancel, error);
    if (!conn || !check_version(target, conn, error))
        return false;
    if (!target->options->look_only)
        return create_database(target, conn, error);
    target->absent = true;
    target->conn = g_steal_pointer(&conn);
    return true;
}

PgTarget *pg_target_open(const PgUrl *url, const PgDump *dump, const PgTargetOptions *options,
                         GError **error)
{
    g_autoptr(PgTarget) target = g_new0(PgTarget, 1);
    g_autoptr(GError) failure = NULL;

    target->url = url;
    target->dump = dump;
    target->options = options;
    target->conn = pg_connect(url, NULL, options->cancel, &failure);
    if (!target->conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_clear_error(&failure);
        if (!make_database(target, error))
            return NULL;
        if (!target->absent)
            target->conn = pg_connect(url, NULL, options->cancel, &failure);
    }
    if (!target->conn) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (!check_version(target, target->conn, error) || !check_extensions(target, error) ||
        (!target->absent && !note_encoding(target, error)))
        return NULL;
    return g_steal_pointer(&target);
}

/* Nothing but what was made here is ever dropped; that happens after a cancel, too. */
static void drop_database(const PgTarget *target)
{
    g_autoptr(PgConn) conn = connect_beside(target, NULL, NULL);
    g_autofree char *name = pg_quote_name(NULL, pg_url_database(target->url));
    g_autofree char *sql = g_strdup_printf("DROP DATABASE %s", name);

    if (!conn || !pg_exec(conn, sql, NULL))
        note(target, "database %s was made, but is not complete and could not be dropped",
             pg_url_database(target->url));
}

void pg_target_free(PgTarget *target)
{
    if (!target)
        return;
    g_clear_pointer(&target->conn, pg_conn_free);
    if (target->made)
        drop_database(target);
    g_free(target);
}

void pg_target_keep(PgTarget *target)
{
    target->made = false;
}

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

bool pg_target_is_absent(const PgTarget *target)
{
    return target->absent;
}

bool pg_target_count(PgTarget *target, unsigned *ret_objects, GError **error)
{
    g_autoptr(GPtrArray) objects = list_objects(target, error);

    if (!objects)
        return false;
    *ret_objects = objects->len;
    return true;
}

static char *list_some(const GPtrArray *names)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < names->len && i < LISTED_MAX; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "", (const char *)names->pdata[i]);
    if (names->len > LISTED_MAX)
        g_string_append_printf(out, " and %u more", names->len - LISTED_MAX);
    return g_string_free(out, FALSE);
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
    some = list_some(lost);
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
    some = list_some(met);
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

/* ---- after ---- */

/* Names in a dump are in its encoding. */
static bool speak_as_dumped(PgTarget *target, GError **error)
{
    g_autofree char *encoding = pgdump_encoding(target->dump);
    g_autofree char *quoted = pg_quote_text(encoding ? encoding : "UTF8");
    g_autofree char *sql = g_strdup_printf("SET client_encoding = %s", quoted);

    return pg_exec(target->conn, sql, error);
}

static bool compare_table(PgTarget *target, const PgDumpEntry *entry, GPtrArray *differences,
                          GError **error)
{
    g_autofree char *name = pg_quote_name(entry->schema, entry->tag);
    g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM ONLY %s", name);
    g_autoptr(GError) failure = NULL;
    int64_t rows;

    if (pg_query_number(target->conn, sql, NULL, &rows, &failure)) {
        if (rows != entry->rows)
            g_ptr_array_add(differences,
                            g_strdup_printf("%s.%s has %" G_GINT64_FORMAT
                                            " rows instead of %" G_GINT64_FORMAT,
                                            entry->schema, entry->tag, rows, entry->rows));
        return true;
    }
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_ptr_array_add(differences, g_strdup_printf("%s.%s is missing", entry->schema, entry->tag));
    return true;
}

static bool compare_tables(PgTarget *target, GHashTable *chosen, GPtrArray *differences,
                           GError **error)
{
    const GPtrArray *entries = pgdump_entries(target->dump);

    if (!speak_as_dumped(target, error))
        return false;
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "TABLE DATA") != 0 || entry->rows < 0 ||
            (chosen && !g_hash_table_contains(chosen, entry)))
            continue;
        if (!compare_table(target, entry, differences, error))
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
    some = list_some(differences);
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
            note(target, "settings of database %s as a whole were not applied to %s",
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
    note(target, "restored, but %s failed: %s", sql, failure->message);
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
