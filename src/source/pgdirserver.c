/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirserver.h"
#include "base/error.h"
#include "base/fs.h"
#include "pg/backuplabel.h"
#include "pg/postmaster.h"
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

/* advice: what to do when it is that. */
static void lacks_right(const char *advice, GError **failure)
{
    g_autoptr(GError) denied = NULL;

    if (!g_error_matches(*failure, BS_ERROR, BS_ERROR_DENIED))
        return;
    denied = g_steal_pointer(failure);
    g_set_error(failure, BS_ERROR, BS_ERROR_AUTH, "%s; %s", denied->message, advice);
}

static bool same_directory(PgDirServer *server, const char *directory, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *theirs = pg_dir_server_show(server, "data_directory", &failure);
    g_autofree char *text = NULL;
    struct stat a, b;

    if (!theirs) {
        lacks_right("GRANT pg_read_all_settings to this role", &failure);
        g_propagate_error(error, g_steal_pointer(&failure));
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
    g_autoptr(PgRows) rows =
        pg_query(server->conn, "SELECT system_identifier FROM pg_control_system()", NULL, error);
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

/* A server that was killed leaves its file, and files that only its recovery makes whole. */
static void say_if_left_over(const char *directory, GError **error)
{
    pid_t pid;

    if (g_error_matches(error ? *error : NULL, BS_ERROR, BS_ERROR_UNREACHABLE) &&
        pg_postmaster_find(directory, &pid, NULL) && !pid)
        g_prefix_error(error,
                       "there is a postmaster.pid, but no such process (a server that was killed? "
                       "or one in another container): ");
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
    if (!url)
        return false;
    server->conn = pg_connect_server(url, cancel, error);
    if (!server->conn) {
        say_if_left_over(directory, error);
        return false;
    }
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

/* The position that a query gives. */
static bool query_lsn(PgDirServer *server, const char *sql, uint64_t *ret_lsn, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(server->conn, sql, NULL, error);
    const char *text = rows && pg_rows_count(rows) == 1 ? pg_rows_get(rows, 0, 0) : NULL;

    if (!rows)
        return false;
    if (text && lsn_parse(text, ret_lsn))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it gives no position in its WAL");
    return false;
}

bool pg_dir_server_start(PgDirServer *server, bool fast, uint64_t *ret_start, GError **error)
{
    bool renamed = server->version >= RENAMED;
    g_autofree char *sql =
        g_strdup_printf(renamed ? "SELECT pg_backup_start('backstay', %s)"
                                : "SELECT pg_start_backup('backstay', %s, false)",
                        fast ? "true" : "false");
    g_autoptr(GError) failure = NULL;
    g_autofree char *advice = NULL;

    if (query_lsn(server, sql, ret_start, &failure))
        return true;
    advice = g_strdup_printf("GRANT EXECUTE ON FUNCTION %s to this role in database %s",
                             renamed ? "pg_backup_start(text, boolean), pg_backup_stop(boolean)"
                                     : "pg_start_backup(text, boolean, boolean), "
                                       "pg_stop_backup(boolean, boolean)",
                             pg_conn_database(server->conn));
    lacks_right(advice, &failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool pg_dir_server_position(PgDirServer *server, uint64_t *ret_lsn, GError **error)
{
    return query_lsn(server,
                     "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                     "ELSE pg_current_wal_insert_lsn() END",
                     ret_lsn, error);
}

bool pg_dir_server_started(PgDirServer *server, char **ret_started, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(
        server->conn, "SELECT extract(epoch FROM pg_postmaster_start_time())", NULL, error);

    if (rows)
        *ret_started = g_strdup(pg_rows_get(rows, 0, 0));
    return rows != NULL;
}

GArray *pg_dir_server_tablespaces(PgDirServer *server, GError **error)
{
    g_autoptr(PgRows) rows =
        pg_query(server->conn,
                 "SELECT oid FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')",
                 NULL, error);
    GArray *oids;

    if (!rows)
        return NULL;
    oids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (int i = 0; i < pg_rows_count(rows); i++) {
        uint32_t oid = (uint32_t)g_ascii_strtoull(pg_rows_get(rows, i, 0), NULL, 10);

        g_array_append_val(oids, oid);
    }
    return oids;
}

void pg_dir_stop_clear(PgDirStop *stop)
{
    g_clear_pointer(&stop->label, g_bytes_unref);
}

static bool parse_stop(const char *lsn, const char *label_text, PgDirStop *ret_stop, GError **error)
{
    g_autoptr(BackupLabel) label = backup_label_parse(label_text, strlen(label_text), error);
    PgDirStop stop = { 0 };

    if (!label)
        return false;
    stop.start = label->start;
    stop.timeline = label->timeline;
    stop.from_standby = label->from_standby;
    if (!lsn_parse(lsn, &stop.stop) || stop.stop <= stop.start) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "server: the backup stops before it starts");
        return false;
    }
    stop.label = g_bytes_new(label_text, strlen(label_text));
    *ret_stop = stop;
    return true;
}

bool pg_dir_server_stop(PgDirServer *server, PgDirStop *ret_stop, GError **error)
{
    // the WAL is taken from pg_wal, whether or not there is an archive and it works
    g_autoptr(PgRows) rows = pg_query(
        server->conn,
        server->version < RENAMED ? "SELECT lsn, labelfile FROM pg_stop_backup(false, false)"
                                  : "SELECT lsn, labelfile FROM pg_backup_stop(false)",
        NULL, error);

    if (!rows)
        return false;
    if (pg_rows_count(rows) == 1 && pg_rows_get(rows, 0, 0) && pg_rows_get(rows, 0, 1))
        return parse_stop(pg_rows_get(rows, 0, 0), pg_rows_get(rows, 0, 1), ret_stop, error);
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it does not say how the backup ended");
    return false;
}
