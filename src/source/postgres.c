/* SPDX-License-Identifier: Apache-2.0 */
#include "source/postgres.h"
#include "base/error.h"
#include "base/plural.h"
#include "pg/conn.h"
#include "pg/passfile.h"
#include "pg/tools.h"
#include "source/pgdump.h"
#include "source/pgfacts.h"
#include "source/pgpartitions.h"
#include "source/pgpush.h"
#include <string.h>

typedef struct {
    Source base;
    PgUrl *url;
    GStrv databases; /* NULL: all */
    GStrv schemas, exclude_schemas, tables, exclude_table_data;
} PostgresSource;

/* One backup. */
typedef struct {
    PostgresSource *source;
    PgPush push;
    int server_version;
    guint n_dumped;
    json_t *manifest, *databases, *problems;
} Backup;

static void note_problem(Backup *backup, const char *item, const GError *problem)
{
    json_t *note = json_object();

    (void)json_object_set_new(note, "item", pg_facts_text(item, NULL));
    (void)json_object_set_new(note, "error", pg_facts_text(problem->message, NULL));
    (void)json_array_append_new(backup->problems, note);
    if (backup->push.run->problem)
        backup->push.run->problem(item, problem, backup->push.run->user);
}

/* ---- one database ---- */

/* pg_dump 16: "--table-and-children". */
#define TAKES_PARTITIONS 160000

/* A dump on its way. */
typedef struct {
    PgDump *dump;
    GError *unread;           /* why it cannot be read; NULL: it can */
    PgPartitions *partitions; /* that it may lack; NULL: that is as it was asked for */
} Passing;

/* An archive newer than we are is still a backup, and pg_dump says whether it is whole. */
static bool feed_dump(void *user, const void *data, size_t len, GError **error)
{
    Passing *passing = user;
    g_autoptr(GError) failure = NULL;

    if (passing->unread || pgdump_feed(passing->dump, data, len, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_VERSION))
        passing->unread = g_steal_pointer(&failure);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return passing->unread != NULL;
}

static uint64_t dump_boundary(const void *user)
{
    return pgdump_toc_len(((const Passing *)user)->dump);
}

static bool finish_dump(void *user, GError **error)
{
    const Passing *passing = user;

    if (passing->unread)
        return true;
    return pgdump_finish(passing->dump, error) &&
           (!passing->partitions || pg_partitions_check(passing->partitions, passing->dump, error));
}

static void add_options(GPtrArray *argv, const char *option, char **values)
{
    for (char **value = values; value && *value; value++)
        g_ptr_array_add(argv, g_strdup_printf("--%s=%s", option, *value));
}

static GPtrArray *dump_command(const PostgresSource *source, const PgTool *tool,
                               const PgAccess *access)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(tool->path));
    g_ptr_array_add(argv, g_strdup("--format=custom"));
    g_ptr_array_add(argv, g_strdup("--compress=0"));
    g_ptr_array_add(argv, g_strdup("--no-password"));
    add_options(argv, "schema", source->schemas);
    add_options(argv, "exclude-schema", source->exclude_schemas);
    add_options(argv, tool->version >= TAKES_PARTITIONS ? "table-and-children" : "table",
                source->tables);
    add_options(argv, "exclude-table-data", source->exclude_table_data);
    // a choice of schemas or tables would silently leave them out
    if (source->schemas || source->tables)
        g_ptr_array_add(argv, g_strdup("--blobs"));
    g_ptr_array_add(argv, g_strdup_printf("--dbname=%s", pg_access_conninfo(access)));
    g_ptr_array_add(argv, NULL);
    return argv;
}

/* For tables that are chosen one that takes their partitions, too, when it is installed. */
static PgTool *find_dump(const Backup *backup, GError **error)
{
    PgTool *tool = NULL;

    if (backup->source->tables)
        tool = pg_tool_find("pg_dump", MAX(backup->server_version, TAKES_PARTITIONS), NULL);
    return tool ? tool : pg_tool_find("pg_dump", backup->server_version, error);
}

/* Facts are asked for before pg_dump starts, and the connection is given back: there may be few. */
static json_t *ask_database(const PgUrl *url, const Cancel *cancel, GError **error)
{
    g_autoptr(PgConn) conn = pg_connect(url, NULL, cancel, error);

    return conn ? pg_facts_database(conn, error) : NULL;
}

static bool ask_partitions(const PgUrl *url, const Cancel *cancel, PgPartitions **ret_partitions,
                           GError **error)
{
    g_autoptr(PgConn) conn = pg_connect(url, NULL, cancel, error);

    *ret_partitions = conn ? pg_partitions_load(conn, error) : NULL;
    return *ret_partitions != NULL;
}

/* The facts that lie in the dump itself. */
static void add_dumped(Backup *backup, const char *file, const Passing *passing, const PgTool *tool,
                       json_t *facts)
{
    g_autofree char *path = pg_push_path(&backup->push, file);
    g_autoptr(GError) problem = NULL;

    if (!passing->unread) {
        pg_facts_add_dump(facts, passing->dump);
        return;
    }
    (void)json_object_set_new(facts, "pg_dump_version", pg_facts_text(tool->version_text, NULL));
    g_set_error(&problem, BS_ERROR, BS_ERROR_VERSION,
                "saved as pg_dump gave it, but its rows are not counted: %s; update Backstay",
                passing->unread->message);
    note_problem(backup, path, problem);
}

static bool dump_with(Backup *backup, const PgUrl *url, const char *file, json_t *facts,
                      GError **error)
{
    g_autoptr(PgTool) tool = find_dump(backup, error);
    g_autoptr(PgAccess) access = tool ? pg_access_new(url, error) : NULL;
    g_autoptr(PgDump) dump = pgdump_new();
    g_autoptr(PgPartitions) partitions = NULL;
    Passing passing = { dump, NULL, NULL };
    PgWatcher watcher = { feed_dump, finish_dump, dump_boundary, &passing };
    g_autoptr(GPtrArray) argv = NULL;
    bool ok;

    if (!access)
        return false;
    if ((backup->source->schemas || (backup->source->tables && tool->version < TAKES_PARTITIONS)) &&
        !ask_partitions(url, backup->push.run->cancel, &partitions, error))
        return false;
    passing.partitions = partitions;
    argv = dump_command(backup->source, tool, access);
    ok = pg_push_child(&backup->push, (const char *const *)argv->pdata, access, file, &watcher,
                       facts, error);
    if (ok)
        add_dumped(backup, file, &passing, tool, facts);
    g_clear_error(&passing.unread);
    return ok;
}

static char *dump_file_name(const char *database)
{
    g_autofree char *escaped = pg_escape_name(database);

    return g_strconcat(escaped, ".dump", NULL);
}

static bool dump_database(Backup *backup, const char *database, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_with_database(backup->source->url, database);
    g_autofree char *file = dump_file_name(database);
    json_t *facts = ask_database(url, backup->push.run->cancel, error);

    if (!facts || !dump_with(backup, url, file, facts, error)) {
        json_decref(facts);
        g_prefix_error(error, "dump database %s: ", database);
        return false;
    }
    (void)json_array_append_new(backup->databases, facts);
    backup->n_dumped++;
    return true;
}

/* ---- globals ---- */

/* pg_dumpall ends with these words; a plain text has no other sign of being whole. */
static const char globals_end[] = "\n-- PostgreSQL database cluster dump complete\n--\n\n";

static bool feed_globals(void *user, const void *data, size_t len, GError **error)
{
    GString *tail = user;

    (void)error;
    g_string_append_len(tail, data, (gssize)len);
    if (tail->len > sizeof globals_end)
        g_string_erase(tail, 0, (gssize)(tail->len - sizeof globals_end));
    return true;
}

static bool finish_globals(void *user, GError **error)
{
    const GString *tail = user;

    if (g_str_has_suffix(tail->str, globals_end))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pg_dumpall: its output ends early");
    return false;
}

static bool push_globals(Backup *backup, bool passwords, json_t *facts, GError **error)
{
    g_autoptr(PgTool) tool = pg_tool_find("pg_dumpall", backup->server_version, error);
    g_autoptr(PgAccess) access = tool ? pg_access_new(backup->source->url, error) : NULL;
    g_autoptr(GString) tail = g_string_new(NULL);
    PgWatcher watcher = { feed_globals, finish_globals, NULL, tail };
    g_autofree char *dbname = NULL;

    if (!access)
        return false;
    dbname = g_strdup_printf("--dbname=%s", pg_access_conninfo(access));
    const char *argv[] = { tool->path,
                           "--globals-only",
                           "--no-password",
                           dbname,
                           passwords ? NULL : "--no-role-passwords",
                           NULL };

    return pg_push_child(&backup->push, argv, access, "globals.sql", &watcher, facts, error);
}

/* Passwords of roles lie in a table that only superusers may read; the rest is worth having too. */
static bool dump_globals(Backup *backup, bool passwords, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *path = pg_push_path(&backup->push, "globals.sql");
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "role_passwords", json_boolean(passwords));
    if (!push_globals(backup, passwords, facts, &failure)) {
        json_decref(facts);
        if (backup->push.sink_failed || g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        note_problem(backup, path, failure);
        return true;
    }
    (void)json_object_set_new(backup->manifest, "globals", facts);
    if (!passwords) {
        g_set_error(&failure, BS_ERROR, BS_ERROR_DENIED,
                    "without the passwords of roles: this user may not read pg_authid");
        note_problem(backup, path, failure);
    }
    return true;
}

/* ---- all of it ---- */

/* Databases that hold data but that nobody can enter are named in the manifest, not forgotten. */
static GStrv list_databases(Backup *backup, PgConn *conn, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(conn,
                                      "SELECT datname, datallowconn AND datconnlimit <> -2,"
                                      " datconnlimit = -2 FROM pg_database"
                                      " WHERE NOT datistemplate ORDER BY 1",
                                      NULL, error);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    json_t *skipped = json_array();

    for (int i = 0; rows && i < pg_rows_count(rows); i++) {
        const char *name = pg_rows_get(rows, i, 0);
        json_t *note;

        if (pg_rows_bool(rows, i, 1)) {
            g_strv_builder_add(names, name);
            continue;
        }
        note = json_object();
        (void)json_object_set_new(note, "name", pg_facts_text(name, NULL));
        (void)json_object_set_new(note, "reason",
                                  json_string(pg_rows_bool(rows, i, 2)
                                                  ? "left behind by an interrupted DROP DATABASE"
                                                  : "connections are not allowed"));
        (void)json_array_append_new(skipped, note);
    }
    (void)json_object_set_new(backup->manifest, "skipped", skipped);
    return rows ? g_strv_builder_end(names) : NULL;
}

static bool dump_databases(Backup *backup, char **databases, GError **error)
{
    bool several = g_strv_length(databases) > 1;

    for (char **database = databases; *database; database++) {
        g_autoptr(GError) failure = NULL;
        g_autofree char *file = dump_file_name(*database);
        g_autofree char *path = pg_push_path(&backup->push, file);

        if (dump_database(backup, *database, &failure))
            continue;
        if (!several || backup->push.sink_failed ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        note_problem(backup, path, failure);
    }
    if (backup->n_dumped > 0 || !*databases)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "none of %u %s could be dumped",
                g_strv_length(databases),
                plural(g_strv_length(databases), "database", "databases"));
    return false;
}

static bool push_manifest(Backup *backup, GError **error)
{
    static const char name[] = "manifest.json";
    g_autofree char *text = NULL;
    void *handle;
    size_t len;

    (void)json_object_set_new(backup->manifest, "finished", pg_facts_time(clock_now()));
    text = json_dumps(backup->manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    g_assert(text);
    len = strlen(text);
    if (!pg_push_begin(&backup->push, name, S_IFREG | 0600, &handle, error))
        return false;
    backup->push.sink_failed = !sink_write(backup->push.sink, handle, 0, text, len, error);
    if (backup->push.sink_failed) {
        sink_abandon(backup->push.sink, handle);
        return false;
    }
    return pg_push_end_file(&backup->push, handle, name, len, error);
}

static json_t *describe_source(const PostgresSource *source)
{
    g_autofree char *url = pg_url_redacted(source->url);
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "kind", json_string("postgres"));
    (void)json_object_set_new(facts, "name", pg_facts_text(source->base.name, NULL));
    (void)json_object_set_new(facts, "url", pg_facts_text(url, NULL));
    return facts;
}

/* What has to be known of the server before the first entry. */
static bool ask_server(Backup *backup, GStrv *ret_databases, bool *ret_passwords, GError **error)
{
    const PostgresSource *source = backup->source;
    const Cancel *cancel = backup->push.run->cancel;
    g_autoptr(PgUrl) url =
        source->databases ? pg_url_with_database(source->url, source->databases[0]) : NULL;
    g_autoptr(PgConn) conn = pg_connect_server(url ? url : source->url, cancel, error);
    g_autoptr(PgRows) rows = NULL;

    // with a list, the first database may be the one that cannot be entered
    if (!conn && url && source->databases[1] && !pg_url_database(source->url)) {
        g_clear_error(error);
        conn = pg_connect_server(source->url, cancel, error);
    }
    if (!conn)
        return false;
    backup->server_version = pg_conn_version(conn);
    (void)json_object_set_new(backup->manifest, "server", pg_facts_server(conn));
    rows =
        pg_query(conn, "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')", NULL, error);
    if (!rows)
        return false;
    *ret_passwords = pg_rows_bool(rows, 0, 0);
    *ret_databases =
        source->databases ? g_strdupv(source->databases) : list_databases(backup, conn, error);
    return *ret_databases != NULL;
}

static bool backup_all(Backup *backup, GError **error)
{
    g_auto(GStrv) databases = NULL;
    bool passwords = false;
    void *top;

    if (!ask_server(backup, &databases, &passwords, error) ||
        !pg_push_begin(&backup->push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (!dump_databases(backup, databases, error) ||
        (!backup->source->databases && !dump_globals(backup, passwords, error)) ||
        !push_manifest(backup, error)) {
        sink_abandon(backup->push.sink, top);
        return false;
    }
    return sink_end(backup->push.sink, top, NULL, error);
}

static bool postgres_backup(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    Backup backup = {
        .source = (PostgresSource *)source,
        .manifest = json_object(),
        .databases = json_array(),
        .problems = json_array(),
    };
    bool ok;

    pg_push_init(&backup.push, source->name, sink, run);
    (void)json_object_set_new(backup.manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(backup.manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(backup.manifest, "source", describe_source(backup.source));
    (void)json_object_set_new(backup.manifest, "started", pg_facts_time(backup.push.time));
    (void)json_object_set_new(backup.manifest, "databases", backup.databases);
    (void)json_object_set_new(backup.manifest, "problems", backup.problems);
    ok = backup_all(&backup, error);
    json_decref(backup.manifest);
    pg_push_done(&backup.push);
    if (!ok)
        g_prefix_error(error, "%s: ", source->name);
    return ok;
}

static void postgres_estimate(Source *base, const SourceRun *run)
{
    PostgresSource *source = (PostgresSource *)base;
    g_autoptr(PgConn) conn = pg_connect_server(source->url, run->cancel, NULL);
    g_autoptr(PgRows) rows =
        conn ? pg_query(conn,
                        "SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT')"
                        " THEN pg_database_size(oid) ELSE 0 END FROM pg_database"
                        " WHERE datallowconn AND NOT datistemplate",
                        NULL, NULL)
             : NULL;

    // an estimate that cannot be had is none; the backup itself will say why
    if (!rows || !run->progress)
        return;
    for (int i = 0; i < pg_rows_count(rows); i++) {
        if (source->databases &&
            !g_strv_contains((const char *const *)source->databases, pg_rows_get(rows, i, 0)))
            continue;
        run->progress->files_total++;
        run->progress->bytes_total += g_ascii_strtoull(pg_rows_get(rows, i, 1), NULL, 10);
    }
    run->progress->total_known = true;
}

static void postgres_free(Source *base)
{
    PostgresSource *source = (PostgresSource *)base;

    pg_url_free(source->url);
    g_strfreev(source->databases);
    g_strfreev(source->schemas);
    g_strfreev(source->exclude_schemas);
    g_strfreev(source->tables);
    g_strfreev(source->exclude_table_data);
    g_free(source);
}

static const SourceOps postgres_ops = {
    .kind = "postgres",
    .estimate = postgres_estimate,
    .backup = postgres_backup,
    .free = postgres_free,
};

static GStrv copy_list(char **list)
{
    return list && *list ? g_strdupv(list) : NULL;
}

static void set_options(PostgresSource *source, const PostgresOptions *options)
{
    source->databases = copy_list(options->databases);
    source->schemas = copy_list(options->schemas);
    source->exclude_schemas = copy_list(options->exclude_schemas);
    source->tables = copy_list(options->tables);
    source->exclude_table_data = copy_list(options->exclude_table_data);
}

/* Databases chosen from a server are another source than the whole server: a choice must not become
 * the parent, or the newest backup, of all. */
static char *default_name(const PgUrl *url, const PostgresOptions *options)
{
    g_autofree char *server = pg_url_source_name(url);
    g_autofree char *chosen = NULL;
    g_autofree char *escaped = NULL;

    if (!options || !options->databases || !*options->databases || pg_url_database(url))
        return g_steal_pointer(&server);
    chosen = g_strjoinv("-", options->databases);
    escaped = pg_escape_name(chosen);
    return g_strconcat(server, "-", escaped, NULL);
}

Source *postgres_source_new(const char *url, const char *name, const PostgresOptions *options,
                            GError **error)
{
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    PostgresSource *source;
    Source *base;

    if (!parsed)
        return NULL;
    if (name && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !*name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" cannot be the name of a source", name);
        return NULL;
    }
    source = g_new0(PostgresSource, 1);
    base = &source->base;
    source_init(base, &postgres_ops, name ? pg_escape_name(name) : default_name(parsed, options));
    if (options)
        set_options(source, options);
    if (!source->databases && pg_url_database(parsed)) {
        source->databases = g_new0(char *, 2);
        source->databases[0] = g_strdup(pg_url_database(parsed));
    }
    source->url = g_steal_pointer(&parsed);
    return base;
}
