/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirserver.h"
#include "base/error.h"
#include "base/fs.h"
#include "pg/backuplabel.h"
#include "pg/postmasterpid.h"
#include "pg/walname.h"
#include <pwd.h>
#include <string.h>

#define PID_FILE_MAX (64u << 10)
#define OLDEST       130000
#define RENAMED      150000 /* pg_start_backup() became pg_backup_start() */

struct PgDirServer {
    PgConn *conn;
    int version;
};

/* ---- where it is ---- */

/* False without an error: the server is stopped. */
static bool read_pid(const char *directory, PostmasterPid *ret_pid, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "postmaster.pid", NULL);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;
    const char *text;
    gsize len;

    if (fs_read_file(path, PID_FILE_MAX, &bytes, &failure)) {
        text = g_bytes_get_data(bytes, &len);
        if (postmaster_pid_parse(text ? text : "", len, ret_pid, &failure))
            return true;
        g_prefix_error(&failure, "%s: ", path);
    }
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool environment_says_where(void)
{
    return g_getenv("PGHOST") || g_getenv("PGHOSTADDR") || g_getenv("PGPORT") ||
           g_getenv("PGSERVICE");
}

/* The role that initdb makes is called as the owner of the directory. */
static void add_user(GString *url, const char *directory)
{
    char room[16 * 1024];
    struct passwd entry, *found = NULL;
    struct stat st;

    if (g_getenv("PGUSER") || g_getenv("PGSERVICE") || stat(directory, &st) != 0 ||
        getpwuid_r(st.st_uid, &entry, room, sizeof room, &found) != 0 || !found)
        return;
    g_string_append_printf(url, "%cuser=", strchr(url->str, '?') ? '&' : '?');
    g_string_append_uri_escaped(url, found->pw_name, NULL, FALSE);
}

static PgUrl *where(const char *directory, const PostmasterPid *pid, GError **error)
{
    g_autoptr(GString) url = g_string_new("postgresql:///");

    if (!environment_says_where()) {
        if (!pid->host || !pid->port) {
            g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE,
                        "%s/postmaster.pid does not say where the server is reached; it may just "
                        "be starting, else set PGHOST and PGPORT",
                        directory);
            return NULL;
        }
        g_string_append_printf(url, "?port=%u&host=", pid->port);
        g_string_append_uri_escaped(url, pid->host, NULL, FALSE);
    }
    add_user(url, directory);
    return pg_url_parse(url->str, error);
}

/* ---- is it that of the directory? ---- */

static bool refuse(const char *directory, const char *found, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: the server that answers %s; set PGHOST and PGPORT to those of this one",
                directory, found);
    return false;
}

static bool same_directory(PgDirServer *server, const char *directory, GError **error)
{
    g_autofree char *theirs = pg_dir_server_show(server, "data_directory", error);
    g_autofree char *text = NULL;
    struct stat a, b;

    if (!theirs) {
        g_prefix_error(error, "GRANT pg_read_all_settings to this role: ");
        return false;
    }
    if (stat(directory, &a) == 0 && stat(theirs, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        return true;
    text = g_strdup_printf("has its data in %s", theirs);
    return refuse(directory, text, error);
}

static bool same_system(PgDirServer *server, const char *directory, const PgControl *control,
                        GError **error)
{
    g_autoptr(PgRows) rows = pg_query(
        server->conn, "SELECT system_identifier FROM pg_control_system()", NULL, error);
    g_autofree char *ours = g_strdup_printf("%" G_GUINT64_FORMAT, control->system_id);

    if (!rows)
        return false;
    return g_strcmp0(pg_rows_get(rows, 0, 0), ours) == 0 ||
           refuse(directory, "is of another cluster", error);
}

static bool new_enough(const PgDirServer *server, GError **error)
{
    if (server->version >= OLDEST)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "the server is PostgreSQL %s; clusters are backed up from version 13 on, older "
                "ones as dumps (postgresql://)",
                pg_conn_version_text(server->conn));
    return false;
}

/* It has nothing to do for hours while its files are read. */
static bool stay(PgDirServer *server, GError **error)
{
    return server->version < 140000 || pg_exec(server->conn, "SET idle_session_timeout = 0", error);
}

bool pg_dir_server_find(const char *directory, const PgControl *control, const Cancel *cancel,
                        PgDirServer **ret_server, GError **error)
{
    g_auto(PostmasterPid) pid = { 0 };
    g_autoptr(PgDirServer) server = g_new0(PgDirServer, 1);
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgUrl) url = NULL;

    if (!read_pid(directory, &pid, &failure)) {
        if (failure) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        *ret_server = NULL;
        return true;
    }
    url = where(directory, &pid, error);
    server->conn = url ? pg_connect_server(url, cancel, error) : NULL;
    if (!server->conn)
        return false;
    server->version = pg_conn_version(server->conn);
    if (!new_enough(server, error) || !same_directory(server, directory, error) ||
        !same_system(server, directory, control, error) || !stay(server, error))
        return false;
    *ret_server = g_steal_pointer(&server);
    return true;
}

void pg_dir_server_free(PgDirServer *server)
{
    if (!server)
        return;
    pg_conn_free(server->conn);
    g_free(server);
}

PgConn *pg_dir_server_conn(PgDirServer *server)
{
    return server->conn;
}

char *pg_dir_server_show(void *user, const char *name, GError **error)
{
    PgDirServer *server = user;
    g_autofree char *sql = g_strdup_printf("SHOW %s", name);
    g_autoptr(PgRows) rows = pg_query(server->conn, sql, NULL, error);

    return rows ? g_strdup(pg_rows_get(rows, 0, 0)) : NULL;
}

/* ---- backup mode ---- */

bool pg_dir_server_hold_wal(PgDirServer *server)
{
    // with the time no two have the same, should a server outlive its connection
    g_autofree char *sql =
        g_strdup_printf("SELECT pg_create_physical_replication_slot('backstay_%d_%" G_GINT64_FORMAT
                        "', true, true)",
                        (int)getpid(), g_get_real_time());

    return pg_exec(server->conn, sql, NULL);
}

bool pg_dir_server_start(PgDirServer *server, bool fast, GError **error)
{
    g_autofree char *sql = g_strdup_printf(server->version < RENAMED
                                               ? "SELECT pg_start_backup('backstay', %s, false)"
                                               : "SELECT pg_backup_start('backstay', %s)",
                                           fast ? "true" : "false");

    if (pg_exec(server->conn, sql, error))
        return true;
    if (g_error_matches(error ? *error : NULL, BS_ERROR, BS_ERROR_DENIED))
        g_prefix_error(error,
                       "this role needs GRANT EXECUTE ON FUNCTION %s and %s (in database %s): ",
                       server->version < RENAMED ? "pg_start_backup(text, boolean, boolean)"
                                                 : "pg_backup_start(text, boolean)",
                       server->version < RENAMED ? "pg_stop_backup(boolean, boolean)"
                                                 : "pg_backup_stop(boolean)",
                       pg_conn_database(server->conn));
    return false;
}

void pg_dir_stop_clear(PgDirStop *stop)
{
    g_clear_pointer(&stop->label, g_bytes_unref);
    g_clear_pointer(&stop->tablespaces, g_array_unref);
}

static bool parse_stop(const PgDirServer *server, const char *lsn, const char *label_text,
                       const char *map, PgDirStop *ret_stop, GError **error)
{
    g_autoptr(BackupLabel) label = backup_label_parse(label_text, strlen(label_text), error);
    g_auto(PgDirStop) stop = { 0 };

    if (!label)
        return false;
    stop.start = label->start;
    stop.timeline = label->timeline;
    stop.from_standby = label->from_standby;
    stop.label = g_bytes_new(label_text, strlen(label_text));
    stop.tablespaces = tablespace_map_parse(server->version / 10000, map, strlen(map), error);
    if (!stop.tablespaces)
        return false;
    if (!lsn_parse(lsn, &stop.stop) || stop.stop <= stop.start) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "server: the backup stops before it starts");
        return false;
    }
    *ret_stop = stop;
    stop = (PgDirStop){ 0 };
    return true;
}

bool pg_dir_server_stop(PgDirServer *server, PgDirStop *ret_stop, GError **error)
{
    // the WAL is taken from pg_wal, whether or not there is an archive and it works
    g_autoptr(PgRows) rows = pg_query(
        server->conn,
        server->version < RENAMED
            ? "SELECT lsn, labelfile, coalesce(spcmapfile, '') FROM pg_stop_backup(false, false)"
            : "SELECT lsn, labelfile, coalesce(spcmapfile, '') FROM pg_backup_stop(false)",
        NULL, error);

    if (!rows)
        return false;
    if (pg_rows_count(rows) != 1 || !pg_rows_get(rows, 0, 0) || !pg_rows_get(rows, 0, 1)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it does not say how the backup ended");
        return false;
    }
    return parse_stop(server, pg_rows_get(rows, 0, 0), pg_rows_get(rows, 0, 1),
                      pg_rows_get(rows, 0, 2), ret_stop, error);
}
