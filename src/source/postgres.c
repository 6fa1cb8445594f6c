/* SPDX-License-Identifier: Apache-2.0 */
#include "source/postgres.h"
#include "base/error.h"
#include "pg/conn.h"
#include "pg/pattern.h"
#include "source/pgsaving.h"
#include <string.h>

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
    g_autoptr(GHashTable) excluded = rows ? pg_save_excluded(source, conn, NULL, NULL) : NULL;

    // an estimate that cannot be had is none; the backup itself will say why
    if (!excluded || !run->progress)
        return;
    for (int i = 0; i < pg_rows_count(rows); i++) {
        const char *name = pg_rows_get(rows, i, 0);

        if (source->databases ? !g_strv_contains((const char *const *)source->databases, name)
                              : g_hash_table_contains(excluded, name))
            continue;
        run->progress->files_total++;
        run->progress->bytes_total += g_ascii_strtoull(pg_rows_get(rows, i, 1), NULL, 10);
    }
    run->progress->total_known = true;
}

static bool postgres_prepare(Source *base, const Cancel *cancel, GError **error)
{
    PostgresSource *source = (PostgresSource *)base;
    g_autoptr(PgConn) conn =
        source->databases ? NULL : pg_connect_server(source->url, cancel, error);
    g_autoptr(GHashTable) excluded = conn ? pg_save_excluded(source, conn, NULL, error) : NULL;

    if (excluded || source->databases)
        source->moment = pg_moment_new(source->url, source->databases, excluded, cancel, error);
    return source->moment != NULL;
}

static bool postgres_open(Source *base, G_GNUC_UNUSED const Cancel *cancel, SourceHold *ret_hold,
                          GError **error)
{
    *ret_hold = SOURCE_MOMENT;
    return pg_moment_open(((PostgresSource *)base)->moment, error);
}

static void postgres_free(Source *base)
{
    PostgresSource *source = (PostgresSource *)base;

    pg_moment_free(source->moment);
    pg_url_free(source->url);
    g_strfreev(source->databases);
    g_strfreev(source->exclude_databases);
    g_free(source->scratch);
    g_strfreev(source->schemas);
    g_strfreev(source->exclude_schemas);
    g_strfreev(source->tables);
    g_strfreev(source->exclude_table_data);
    g_free(source);
}

static const SourceOps postgres_ops = {
    .kind = "postgres",
    .prepare = postgres_prepare,
    .open = postgres_open,
    .estimate = postgres_estimate,
    .backup = pg_save,
    .free = postgres_free,
};

static GStrv copy_list(char **list)
{
    return list && *list ? g_strdupv(list) : NULL;
}

static void set_options(PostgresSource *source, const PostgresOptions *options)
{
    source->databases = copy_list(options->databases);
    source->exclude_databases = copy_list(options->exclude_databases);
    source->jobs = options->jobs;
    source->scratch = g_strdup(options->scratch);
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

static bool check_options(const PgUrl *url, const PostgresOptions *options, GError **error)
{
    if (!options || !options->exclude_databases || !*options->exclude_databases)
        return true;
    for (char **pattern = options->exclude_databases; *pattern; pattern++) {
        g_autofree char *regex = pg_pattern_regex(*pattern, error);

        if (!regex) {
            g_prefix_error(error, "--exclude-database: ");
            return false;
        }
    }
    if ((!options->databases || !*options->databases) && !pg_url_database(url))
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                        "--exclude-database leaves databases of a whole server out, but the ones "
                        "to be saved are named; give a URL without a database, and no --database");
    return false;
}

Source *postgres_source_new(const char *url, const char *name, const PostgresOptions *options,
                            GError **error)
{
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    PostgresSource *source;
    Source *base;

    if (!parsed || !check_options(parsed, options, error))
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
