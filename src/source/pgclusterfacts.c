/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgclusterfacts.h"
#include "pg/walname.h"
#include "source/pgfacts.h"

static json_t *position(const PgBackupStop *at)
{
    json_t *position = json_object();

    (void)json_object_set_new(position, "lsn", json_string(lsn_text(at->lsn).text));
    (void)json_object_set_new(position, "timeline", json_integer(at->timeline));
    return position;
}

static json_t *describe_cluster(const PgClusterFacts *facts)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, facts->system_id);
    json_t *cluster = json_object();

    (void)json_object_set_new(cluster, "system_id", json_string(id));
    (void)json_object_set_new(cluster, "wal_segment_size", json_integer(facts->segment_size));
    (void)json_object_set_new(cluster, "standby", json_boolean(facts->standby));
    (void)json_object_set_new(cluster, "start", position(&facts->start));
    (void)json_object_set_new(cluster, "stop", position(&facts->stop));
    return cluster;
}

static json_t *describe_tablespaces(const PgClusterFacts *facts)
{
    json_t *list = json_array();

    for (guint i = 0; i < facts->tablespaces->len; i++) {
        const PgTablespace *one = &g_array_index(facts->tablespaces, PgTablespace, i);
        json_t *tablespace;

        if (!one->oid)
            continue;
        tablespace = json_object();
        (void)json_object_set_new(tablespace, "oid", json_integer(one->oid));
        (void)json_object_set_new(tablespace, "location", pg_facts_text(one->location, NULL));
        (void)json_array_append_new(list, tablespace);
    }
    return list;
}

static json_t *describe_server(const PgClusterFacts *facts)
{
    json_t *server = json_object();

    (void)json_object_set_new(server, "version", json_integer(facts->version));
    (void)json_object_set_new(server, "version_text", pg_facts_text(facts->version_text, NULL));
    return server;
}

static json_t *describe_source(const PgClusterFacts *facts)
{
    json_t *source = json_object();

    (void)json_object_set_new(source, "kind", json_string("pgcluster"));
    (void)json_object_set_new(source, "name", pg_facts_text(facts->name, NULL));
    (void)json_object_set_new(source, "url", pg_facts_text(facts->url, NULL));
    return source;
}

static json_t *describe_config(const PgClusterFacts *facts)
{
    json_t *config = json_object();

    (void)json_object_set_new(config, "saved", json_boolean(facts->has_config));
    if (facts->no_config)
        (void)json_object_set_new(config, "reason", pg_facts_text(facts->no_config, NULL));
    return config;
}

/* How the restored folder is started, from within it. A data_directory in its postgresql.conf would
 * lead to the data of the server that was saved. */
static json_t *start_command(const PgClusterFacts *facts)
{
    if (facts->own_config)
        return json_string(
            "pg_ctl -D \"$PWD/pgdata\" -o \"-c data_directory='$PWD/pgdata'\" start");
    if (!facts->has_config)
        return json_null();
    return json_string("pg_ctl -D \"$PWD/pgdata\" -o \"-c config_file='$PWD/config/postgresql.conf'"
                       " -c data_directory='$PWD/pgdata' -c hba_file='$PWD/config/pg_hba.conf'"
                       " -c ident_file='$PWD/config/pg_ident.conf' -c external_pid_file=\" start");
}

json_t *pg_cluster_manifest(const PgClusterFacts *facts)
{
    json_t *manifest = json_object();

    (void)json_object_set_new(manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(manifest, "source", describe_source(facts));
    (void)json_object_set_new(manifest, "server", describe_server(facts));
    (void)json_object_set_new(manifest, "started", pg_facts_time(facts->started));
    (void)json_object_set_new(manifest, "finished", pg_facts_time(clock_now()));
    (void)json_object_set_new(manifest, "cluster", describe_cluster(facts));
    (void)json_object_set_new(manifest, "tablespaces", describe_tablespaces(facts));
    (void)json_object_set_new(manifest, "files", json_integer((json_int_t)facts->n_files));
    (void)json_object_set_new(manifest, "bytes", json_integer((json_int_t)facts->n_bytes));
    (void)json_object_set_new(manifest, "wal_held", json_boolean(facts->wal_held));
    (void)json_object_set_new(manifest, "config", describe_config(facts));
    (void)json_object_set_new(manifest, "start_command", start_command(facts));
    if (facts->directory)
        (void)json_object_set(manifest, "directory", facts->directory);
    return manifest;
}
