/* SPDX-License-Identifier: Apache-2.0 */
/* A server: which databases it has, one after the other, and the manifest. */
#include "base/error.h"
#include "base/plural.h"
#include "pg/conn.h"
#include "source/pgfacts.h"
#include "source/pgsaving.h"
#include <string.h>

void pg_save_problem(PgSave *save, const char *item, const GError *problem)
{
    json_t *note = json_object();

    (void)json_object_set_new(note, "item", pg_facts_text(item, NULL));
    (void)json_object_set_new(note, "error", pg_facts_text(problem->message, NULL));
    (void)json_array_append_new(save->problems, note);
    if (save->push.run->problem)
        save->push.run->problem(item, problem, save->push.run->user);
}

static bool dump_databases(PgSave *save, char **databases, GError **error)
{
    bool several = g_strv_length(databases) > 1;

    for (char **database = databases; *database; database++) {
        g_autoptr(GError) failure = NULL;
        g_autofree char *file = pg_save_file_name(save, *database);
        g_autofree char *path = pg_push_path(&save->push, file);

        if (pg_save_database(save, *database, &failure))
            continue;
        if (!several || save->push.sink_failed ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        pg_save_problem(save, path, failure);
    }
    if (save->n_dumped > 0 || !*databases)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "none of %u %s could be dumped",
                g_strv_length(databases),
                plural(g_strv_length(databases), "database", "databases"));
    return false;
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
static bool ask_server(PgSave *save, GStrv *ret_databases, bool *ret_passwords, GError **error)
{
    const PostgresSource *source = save->source;
    const Cancel *cancel = save->push.run->cancel;
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
    save->server_version = pg_conn_version(conn);
    (void)json_object_set_new(save->manifest, "server", pg_facts_server(conn));
    rows = pg_query(conn,
                    "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT'),"
                    " pg_catalog.pg_is_in_recovery()",
                    NULL, error);
    if (!rows)
        return false;
    *ret_passwords = pg_rows_bool(rows, 0, 0);
    save->standby = pg_rows_bool(rows, 0, 1);
    if (save->standby)
        (void)json_object_set_new(json_object_get(save->manifest, "server"), "standby",
                                  json_true());
    *ret_databases =
        source->databases ? g_strdupv(source->databases) : pg_save_list(save, conn, error);
    return *ret_databases != NULL;
}

static bool save_all(PgSave *save, GError **error)
{
    g_auto(GStrv) databases = NULL;
    bool passwords = false;
    void *top;

    if (!ask_server(save, &databases, &passwords, error) ||
        !pg_push_begin(&save->push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (!dump_databases(save, databases, error) ||
        (!save->source->databases && !pg_save_globals(save, passwords, error)) ||
        !pg_push_manifest(&save->push, save->manifest, error)) {
        sink_abandon(save->push.sink, top);
        return false;
    }
    return sink_end(save->push.sink, top, NULL, error);
}

bool pg_save(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    PgSave save = {
        .source = (PostgresSource *)source,
        .manifest = json_object(),
        .databases = json_array(),
        .problems = json_array(),
    };
    bool ok;

    pg_push_init(&save.push, source->name, sink, run);
    (void)json_object_set_new(save.manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(save.manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(save.manifest, "source", describe_source(save.source));
    (void)json_object_set_new(save.manifest, "started", pg_facts_time(save.push.time));
    (void)json_object_set_new(save.manifest, "databases", save.databases);
    (void)json_object_set_new(save.manifest, "problems", save.problems);
    source_add_facts(&save.source->base, save.manifest);
    ok = save_all(&save, error);
    json_decref(save.manifest);
    pg_push_done(&save.push);
    if (!ok)
        g_prefix_error(error, "%s: ", source->name);
    return ok;
}
