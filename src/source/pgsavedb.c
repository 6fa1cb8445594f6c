/* SPDX-License-Identifier: Apache-2.0 */
/* One database: its dump, read as it passes, and what is known of it. */
#include "base/error.h"
#include "pg/conn.h"
#include "pg/tools.h"
#include "source/pgdump.h"
#include "source/pgfacts.h"
#include "source/pgmigrations.h"
#include "source/pgpartitions.h"
#include "source/pgsaving.h"
#include <string.h>

/* pg_dump 16: "--table-and-children". */
#define TAKES_PARTITIONS 160000

/* A dump on its way. */
typedef struct {
    PgDump *dump;
    GError *unread;           /* why it cannot be read; NULL: it can */
    PgPartitions *partitions; /* that it may lack; NULL: that is as it was asked for */
} Passing;

/* An archive newer than we are is still a save, and pg_dump says whether it is whole. */
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

/* to: the directory that it makes; NULL: standard output. */
static GPtrArray *dump_command(const PgSave *save, const PgTool *tool, const PgAccess *access,
                               const char *to)
{
    const PostgresSource *source = save->source;
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(tool->path));
    g_ptr_array_add(argv, g_strdup(to ? "--format=directory" : "--format=custom"));
    if (to) {
        g_ptr_array_add(argv, g_strdup_printf("--file=%s", to));
        g_ptr_array_add(argv, g_strdup_printf("--jobs=%u", MAX(source->jobs, 1)));
    }
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
    if (save->snapshot)
        g_ptr_array_add(argv, g_strconcat("--snapshot=", save->snapshot, NULL));
    g_ptr_array_add(argv, g_strdup_printf("--dbname=%s", pg_access_conninfo(access)));
    g_ptr_array_add(argv, NULL);
    return argv;
}

/* For tables that are chosen one that takes their partitions, too, when it is installed. */
static PgTool *find_dump(const PgSave *save, GError **error)
{
    PgTool *tool = NULL;

    if (save->source->tables)
        tool = pg_tool_find("pg_dump", MAX(save->server_version, TAKES_PARTITIONS), NULL);
    return tool ? tool : pg_tool_find("pg_dump", save->server_version, error);
}

/* Facts are asked for before pg_dump starts, and the connection is given back: there may be few. */
static json_t *ask_database(const PgUrl *url, const Cancel *cancel, GError **error)
{
    g_autoptr(PgConn) conn = pg_connect(url, NULL, cancel, error);

    return conn ? pg_facts_database(conn, error) : NULL;
}

/* What is not known of them is no reason to have no backup. */
static void add_migrations(PgSave *save, const PgUrl *url, const char *database, json_t *facts)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgConn) conn = pg_connect(url, NULL, save->push.run->cancel, &failure);
    json_t *migrations = NULL;

    if (conn && pg_migrations(conn, &migrations, &failure)) {
        if (json_array_size(migrations) > 0)
            (void)json_object_set(facts, "migrations", migrations);
        json_decref(migrations);
        return;
    }
    g_ptr_array_add(save->source->base.notes,
                    g_strdup_printf("the migrations of database %s are not noted: %s", database,
                                    failure->message));
}

static bool ask_partitions(const PgUrl *url, const Cancel *cancel, PgPartitions **ret_partitions,
                           GError **error)
{
    g_autoptr(PgConn) conn = pg_connect(url, NULL, cancel, error);

    *ret_partitions = conn ? pg_partitions_load(conn, error) : NULL;
    return *ret_partitions != NULL;
}

/* The facts that lie in the dump itself. */
static void add_dumped(PgSave *save, const char *file, const Passing *passing, const PgTool *tool,
                       json_t *facts)
{
    g_autofree char *path = pg_push_path(&save->push, file);
    g_autoptr(GError) problem = NULL;

    if (!passing->unread) {
        pg_facts_add_dump(facts, passing->dump);
        return;
    }
    (void)json_object_set_new(facts, "pg_dump_version", pg_facts_text(tool->version_text, NULL));
    g_set_error(&problem, BS_ERROR, BS_ERROR_VERSION,
                "saved as pg_dump gave it, but its rows are not counted: %s; update Backstay",
                passing->unread->message);
    pg_save_problem(save, path, problem);
}

static bool dump_to_stream(PgSave *save, const PgTool *tool, const PgAccess *access,
                           const char *file, PgPartitions *partitions, json_t *facts,
                           GError **error)
{
    g_autoptr(PgDump) dump = pgdump_new();
    Passing passing = { dump, NULL, partitions };
    PgWatcher watcher = { feed_dump, finish_dump, dump_boundary, &passing };
    g_autoptr(GPtrArray) argv = dump_command(save, tool, access, NULL);
    bool ok = pg_push_child(&save->push, (const char *const *)argv->pdata, access, file, &watcher,
                            facts, error);

    if (ok)
        add_dumped(save, file, &passing, tool, facts);
    g_clear_error(&passing.unread);
    return ok;
}

static bool dump_to_files(PgSave *save, const PgUrl *url, const PgTool *tool,
                          const PgAccess *access, const char *file, const PgPartitions *partitions,
                          json_t *facts, GError **error)
{
    g_autoptr(Scratch) scratch = pg_save_scratch(save, url, error);
    g_autofree char *to = scratch ? g_build_filename(scratch_path(scratch), "dump", NULL) : NULL;
    g_autoptr(GPtrArray) argv = scratch ? dump_command(save, tool, access, to) : NULL;

    return scratch &&
           pg_save_files(save, (const char *const *)argv->pdata, access, to, file, partitions,
                         facts, error) &&
           scratch_remove(scratch, error);
}

/* Said now, for when it is to be restored it is too late. */
static void note_tool(const PgSave *save, const PgTool *tool)
{
    g_autofree char *server = pg_major_text(save->server_version);

    if (!pg_tool_restores_to(tool->version, save->server_version))
        g_ptr_array_add(save->source->base.notes,
                        g_strdup_printf("dumped by pg_dump %s, so it can be restored to PostgreSQL "
                                        "17 or later, but not to a server of %s as this one; "
                                        "install postgresql-client-%s here",
                                        tool->version_text, server, server));
}

static bool dump_with(PgSave *save, const PgUrl *url, const char *file, json_t *facts,
                      GError **error)
{
    g_autoptr(PgTool) tool = find_dump(save, error);
    g_autoptr(PgAccess) access = tool ? pg_access_new(url, error) : NULL;
    g_autoptr(PgPartitions) partitions = NULL;

    if (!access)
        return false;
    note_tool(save, tool);
    if ((save->source->schemas || (save->source->tables && tool->version < TAKES_PARTITIONS)) &&
        !ask_partitions(url, save->push.run->cancel, &partitions, error))
        return false;
    return save->source->scratch
               ? dump_to_files(save, url, tool, access, file, partitions, facts, error)
               : dump_to_stream(save, tool, access, file, partitions, facts, error);
}

char *pg_save_file_name(const PgSave *save, const char *database)
{
    g_autofree char *escaped = pg_escape_name(database);

    return g_strconcat(escaped, save->source->scratch ? ".dir" : ".dump", NULL);
}

/* What a standby has of unlogged tables is their definition, and pg_dump leaves it at that. */
static bool add_unlogged(PgSave *save, const PgUrl *url, const char *database, json_t *facts,
                         GError **error)
{
    g_autoptr(PgConn) conn = pg_connect(url, NULL, save->push.run->cancel, error);
    g_autoptr(PgRows) rows =
        conn ? pg_query(conn,
                        "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c"
                        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                        " WHERE c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY 1",
                        NULL, error)
             : NULL;
    json_t *names;

    if (!rows || pg_rows_count(rows) == 0)
        return rows != NULL;
    names = json_array();
    for (int i = 0; i < pg_rows_count(rows); i++)
        (void)json_array_append_new(names, pg_facts_text(pg_rows_get(rows, i, 0), NULL));
    (void)json_object_set_new(facts, "without_rows", names);
    g_ptr_array_add(save->source->base.notes,
                    g_strdup_printf("database %s: a standby has no rows of unlogged tables, %s%s",
                                    database, pg_rows_get(rows, 0, 0),
                                    pg_rows_count(rows) > 1 ? " and others" : ""));
    return true;
}

static json_t *dump_once(PgSave *save, const char *database, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_with_database(save->source->url, database);
    g_autofree char *file = pg_save_file_name(save, database);
    json_t *facts = ask_database(url, save->push.run->cancel, error);

    if (facts)
        add_migrations(save, url, database, facts);
    if (facts && (!save->standby || add_unlogged(save, url, database, facts, error)) &&
        dump_with(save, url, file, facts, error))
        return facts;
    json_decref(facts);
    return NULL;
}

/* PostgreSQL documentation, "Handling Query Conflicts". Its words are the server's, and English
 * unless lc_messages says otherwise; then the dump fails as it would for any other reason. */
static bool is_conflict(const PgSave *save, GError **failure)
{
    GError *conflict = NULL;

    if (!save->standby || save->push.sink_failed ||
        !strstr((*failure)->message, "due to conflict with recovery"))
        return false;
    g_set_error(&conflict, BS_ERROR, BS_ERROR_TRANSIENT,
                "the standby ended the dump, which kept it from replaying what its primary sent; "
                "set hot_standby_feedback = on there, or raise max_standby_streaming_delay: %s",
                (*failure)->message);
    g_clear_error(failure);
    *failure = conflict;
    return true;
}

bool pg_save_database(PgSave *save, const char *database, GError **error)
{
    const PgMoment *moment = save->source->moment;
    g_autoptr(GError) failure = NULL;
    json_t *facts;

    save->snapshot = moment ? pg_moment_snapshot(moment, database) : NULL;
    facts = dump_once(save, database, &failure);

    // by now the standby may have caught up
    if (!facts && is_conflict(save, &failure)) {
        g_autoptr(GError) first = g_steal_pointer(&failure);

        g_ptr_array_add(
            save->source->base.notes,
            g_strdup_printf("database %s was dumped a second time: %s", database, first->message));
        facts = dump_once(save, database, &failure);
        if (!facts)
            (void)is_conflict(save, &failure);
    }
    if (!facts) {
        g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                   "dump database %s: ", database);
        return false;
    }
    (void)json_array_append_new(save->databases, facts);
    save->n_dumped++;
    return true;
}
