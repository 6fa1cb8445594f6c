/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "codec/hash.h"
#include "pg/conn.h"
#include "source/pgheld.h"
#include "source/pgpsql.h"
#include "source/pgreplay.h"
#include "source/pgscan.h"
#include "source/pgtarget.h"
#include <string.h>

typedef struct {
    Sink base;
    PgUrl *url; /* of the database where it begins */
    PgTargetOptions options;
    PgPreview *preview;
    bool run, opened, ended;
    PgScan *scan;
    Hash *hash;
    uint64_t position;
    PgPsql *psql;
    char *database;  /* whose part is at hand; NULL: none yet */
    guint n_counted; /* tables of the scan that are compared, or are not to be */
    GHashTable
        *present; /* names of roles, tablespaces and databases, with the word before: a set */
    GHashTable *made, *entered; /* databases */
    PgHeld *held;               /* with force: whose rows cannot be compared */
} ServerSink;

static void note(const ServerSink *sink, const char *format, const char *name)
{
    g_autofree char *text = g_strdup_printf(format, name);

    if (sink->options.note)
        sink->options.note(text, sink->options.user);
}

/* ---- the server ---- */

static PgConn *connect_to(const ServerSink *sink, const char *database, GError **error)
{
    return pg_connect(sink->url, database, sink->options.cancel, error);
}

static bool load_present(ServerSink *sink, GError **error)
{
    g_autoptr(PgConn) conn = connect_to(sink, NULL, error);
    g_autoptr(PgRows) rows =
        conn ? pg_query(conn,
                        "SELECT 'ROLE ' || rolname FROM pg_catalog.pg_roles UNION ALL"
                        " SELECT 'TABLESPACE ' || spcname FROM pg_catalog.pg_tablespace UNION ALL"
                        " SELECT 'DATABASE ' || datname FROM pg_catalog.pg_database",
                        NULL, error)
             : NULL;

    for (int i = 0; rows && i < pg_rows_count(rows); i++)
        g_hash_table_add(sink->present, g_strdup(pg_rows_get(rows, i, 0)));
    return rows != NULL;
}

static bool is_present(const ServerSink *sink, const char *kind, const char *name)
{
    g_autofree char *key = g_strconcat(kind, " ", name, NULL);

    return g_hash_table_contains(sink->present, key);
}

static bool refuse(GError **error, const char *database, const char *how)
{
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "database %s %s; restore into an empty server, or go on all the same with --force",
                database, how);
    return false;
}

static bool check_empty(ServerSink *sink, const char *database, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_with_database(sink->url, database);
    g_autoptr(PgTarget) target = pg_target_open(url, NULL, &sink->options, error);
    unsigned objects = 0;

    if (!target || !pg_target_count(target, &objects, error))
        return false;
    if (sink->preview)
        sink->preview->objects += objects;
    return objects == 0 || sink->options.force || refuse(error, database, "holds something");
}

static void tell_counts(const ServerSink *sink)
{
    const GPtrArray *tables = pg_scan_tables(sink->scan);

    if (!sink->preview)
        return;
    sink->preview->counted = pg_scan_counts_all(sink->scan);
    sink->preview->tables = tables->len;
    for (guint i = 0; i < tables->len; i++)
        sink->preview->rows += ((const PgScanTable *)tables->pdata[i])->rows;
}

/* What is there, and what the script wants to be there. */
static bool look(ServerSink *sink, GError **error)
{
    GHashTableIter iter;
    gpointer name;

    tell_counts(sink);
    g_hash_table_iter_init(&iter, sink->made);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (!is_present(sink, "DATABASE", name))
            continue;
        if (!sink->options.force)
            return refuse(error, name, "is there already");
    }
    g_hash_table_iter_init(&iter, sink->entered);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (is_present(sink, "DATABASE", name) && !check_empty(sink, name, error))
            return false;
        if (!is_present(sink, "DATABASE", name) && !g_hash_table_contains(sink->made, name)) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                        "there is no database %s, and the script does not make it",
                        (const char *)name);
            return false;
        }
    }
    return true;
}

/* ---- the script ---- */

static bool keeps(void *user, const char *verb, const char *name, const char *statement)
{
    ServerSink *sink = user;

    if (strcmp(verb, "CREATE DATABASE ") == 0) {
        g_hash_table_add(sink->made, g_strdup(name));
        return !is_present(sink, "DATABASE", name);
    }
    if (strcmp(verb, "CREATE TABLESPACE ") == 0) {
        if (sink->run && is_present(sink, "TABLESPACE", name))
            note(sink, "tablespace %s is there, and stays as it is", name);
        return !is_present(sink, "TABLESPACE", name);
    }
    if (!is_present(sink, "ROLE", name))
        return true;
    if (sink->run && strcmp(verb, "CREATE ROLE ") == 0)
        note(sink, "role %s is there, and stays as it is, with its password", name);
    // settings of its own are no attributes: ALTER ROLE name SET, or IN DATABASE
    return strcmp(verb, "ALTER ROLE ") == 0 && !strstr(statement, " WITH ");
}

static bool compare(const PgScanTable *table, const char *name, PgConn *conn, GError **error)
{
    g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM ONLY %s", name);
    int64_t rows;

    if (!pg_query_number(conn, sql, NULL, &rows, error))
        return false;
    if (rows >= 0 && (uint64_t)rows == table->rows)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "restored, but not what was dumped: %s has %" G_GINT64_FORMAT
                " rows instead of %" G_GUINT64_FORMAT,
                name, rows, table->rows);
    return false;
}

/* A table that the script made is its own: were it there before, the script would have ended there.
 * But one of data alone adds to what is there. */
static bool compare_one(ServerSink *sink, const PgScanTable *table, PgConn *conn, GError **error)
{
    g_autofree char *name = pg_quote_name(table->schema ? table->schema : "public", table->name);
    bool held = false;

    if (sink->options.force && !pg_held_has(sink->held, conn, name, &held, error))
        return false;
    if (!held)
        return compare(table, name, conn, error);
    note(sink, "the rows of %s are not compared, it held some before", name);
    if (sink->preview)
        sink->preview->counted = false;
    return true;
}

/* Names are in the encoding that the script has set for itself. */
static bool compare_part(ServerSink *sink, GError **error)
{
    const GPtrArray *tables = pg_scan_tables(sink->scan);
    g_autofree char *encoding =
        pg_quote_text(pg_scan_encoding(sink->scan) ? pg_scan_encoding(sink->scan) : "UTF8");
    g_autofree char *sql = g_strdup_printf("SET client_encoding = %s", encoding);
    g_autoptr(PgConn) conn = NULL;

    if (sink->n_counted == tables->len)
        return true;
    conn = connect_to(sink, sink->database, error);
    if (!conn || !pg_exec(conn, sql, error))
        return false;
    for (; sink->n_counted < tables->len; sink->n_counted++)
        if (!compare_one(sink, tables->pdata[sink->n_counted], conn, error))
            return false;
    return true;
}

static bool end_part(ServerSink *sink, GError **error)
{
    bool ok = !sink->psql || (pg_psql_end(sink->psql, error) && compare_part(sink, error));

    if (!ok)
        g_prefix_error(error, "database %s: ", sink->database ? sink->database : "(none)");
    g_clear_pointer(&sink->psql, pg_psql_free);
    return ok;
}

static bool look_before(ServerSink *sink, const char *database, GError **error)
{
    g_autoptr(PgConn) conn = NULL;

    if (!sink->run || !sink->options.force || !is_present(sink, "DATABASE", database))
        return true;
    conn = connect_to(sink, database, error);
    return conn && pg_held_look(sink->held, conn, error);
}

static bool begin_part(ServerSink *sink, const char *database, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_with_database(sink->url, database);

    if (!look_before(sink, database, error))
        return false;
    g_free(sink->database);
    sink->database = g_strdup(database);
    if (sink->run)
        sink->psql = pg_psql_open(url, sink->options.recorded, sink->options.cancel, error);
    return !sink->run || sink->psql;
}

static bool go_to(void *user, const char *database, GError **error)
{
    ServerSink *sink = user;

    g_hash_table_add(sink->entered, g_strdup(database));
    return end_part(sink, error) && begin_part(sink, database, error);
}

static bool pass(void *user, const void *data, size_t len, GError **error)
{
    ServerSink *sink = user;

    if (!sink->run || pg_psql_say(sink->psql, data, len, error))
        return true;
    g_prefix_error(error, "database %s: ", sink->database);
    return false;
}

static const PgScanSessions sessions = { go_to, keeps };

/* ---- the stream ---- */

static bool server_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    ServerSink *sink = (ServerSink *)base;
    bool dump;

    if (!pg_target_begin(entry, &sink->opened, &dump, error))
        return false;
    *ret_handle = dump ? sink : NULL;
    return !dump ||
           (load_present(sink, error) && begin_part(sink, pg_url_database(sink->url), error));
}

static bool server_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                         GError **error)
{
    ServerSink *sink = (ServerSink *)base;

    g_assert(handle == sink && offset >= sink->position);
    if (offset > sink->position) { // a hole of zeros
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "script: a zero byte");
        return false;
    }
    hash_update(sink->hash, data, len);
    sink->position += len;
    return pg_scan_feed(sink->scan, data, len, error);
}

static bool server_end(Sink *base, void *handle, G_GNUC_UNUSED const Node *node, GError **error)
{
    ServerSink *sink = (ServerSink *)base;
    const char *want = json_string_value(json_object_get(sink->options.recorded, "sha256"));
    Id sha256;

    if (!handle)
        return true;
    hash_final(sink->hash, &sha256);
    if (!pg_scan_finish(sink->scan, error))
        return false;
    sink->ended = g_strcmp0(want, id_hex(&sha256).text) == 0;
    if (!sink->ended)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the script is not the one that the manifest records (SHA-256 %s instead of "
                    "%s)",
                    id_hex(&sha256).text, want ? want : "none");
    return sink->ended;
}

static void server_abandon(Sink *base, void *handle)
{
    if (handle)
        ((ServerSink *)base)->ended = false;
}

static bool server_finish(Sink *base, GError **error)
{
    ServerSink *sink = (ServerSink *)base;

    if (!sink->ended) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "there was no whole script to restore");
        return false;
    }
    return sink->run ? end_part(sink, error) : look(sink, error);
}

static void server_free(Sink *base)
{
    ServerSink *sink = (ServerSink *)base;

    pg_psql_free(sink->psql);
    pg_scan_free(sink->scan);
    hash_free(sink->hash);
    pg_url_free(sink->url);
    g_hash_table_unref(sink->present);
    g_hash_table_unref(sink->made);
    g_hash_table_unref(sink->entered);
    pg_held_free(sink->held);
    g_free(sink->database);
    g_free(sink);
}

static const SinkOps server_ops = {
    .name = "psql, server",
    .begin = server_begin,
    .write = server_write,
    .end = server_end,
    .abandon = server_abandon,
    .finish = server_finish,
    .free = server_free,
};

static GHashTable *set_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* Where the script begins: in the database of the URL, or where every server has one. */
static PgUrl *first_url(const char *text, const Cancel *cancel, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(text, error);
    g_autoptr(PgConn) conn = url ? pg_connect_server(url, cancel, error) : NULL;

    return conn ? pg_url_with_database(url, pg_conn_database(conn)) : NULL;
}

Sink *pg_replay_server_sink_new(const PgRestoreRequest *request, bool run, GError **error)
{
    PgUrl *url =
        pg_replay_allows(request, error) ? first_url(request->url, request->cancel, error) : NULL;
    ServerSink *sink;

    if (!url)
        return NULL;
    sink = g_new0(ServerSink, 1);
    sink->base.ops = &server_ops;
    sink->url = url;
    sink->options = pg_restore_target_options(request);
    sink->preview = request->preview;
    sink->run = run;
    sink->hash = hash_new();
    sink->scan = pg_scan_new();
    sink->present = set_new();
    sink->made = set_new();
    sink->entered = set_new();
    sink->held = pg_held_new();
    pg_scan_set_sessions(sink->scan, &sessions, pass, sink);
    return &sink->base;
}
