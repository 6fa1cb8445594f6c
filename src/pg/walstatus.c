/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walstatus.h"

#include "base/error.h"
#include "pg/conn.h"
#include "pg/walname.h"

#include <stdlib.h>

#define OLDEST 130000

void pg_wal_status_clear(PgWalStatus *status)
{
    g_clear_pointer(&status->archive_mode, g_free);
    g_clear_pointer(&status->last_archived, g_free);
    g_clear_pointer(&status->last_failed, g_free);
    g_clear_pointer(&status->data_directory, g_free);
}

bool pg_wal_status_failing(const PgWalStatus *status)
{
    return status->last_failed_at > status->last_archived_at;
}

static int64_t number_at(const PgRows *rows, int column)
{
    const char *text = pg_rows_get(rows, 0, column);

    return text ? g_ascii_strtoll(text, NULL, 10) : 0;
}

static bool broken(const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "the server does not say %s", what);
    return false;
}

/* ---- where it stands ---- */

/* The control file names the timeline of the last checkpoint, which may be older than a promotion;
 * the name of the current segment is up to date, but cannot be asked for on a standby. */
static const char where_query[] =
    "select pg_catalog.pg_is_in_recovery(),"
    " case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()"
    " else pg_catalog.pg_current_wal_lsn() end,"
    " (select system_identifier from pg_catalog.pg_control_system()),"
    " case when pg_catalog.pg_is_in_recovery()"
    " then pg_catalog.lpad(pg_catalog.to_hex((select timeline_id from "
    "pg_catalog.pg_control_checkpoint())), 8, '0')"
    " else pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) "
    "end,"
    " extract(epoch from pg_catalog.clock_timestamp())::pg_catalog.float8,"
    " pg_catalog.current_setting('archive_mode')";

static bool read_where(PgConn *conn, PgWalStatus *status, double *ret_clock, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(conn, where_query, NULL, error);
    const char *lsn, *timeline;

    if (!rows)
        return false;
    lsn = pg_rows_get(rows, 0, 1);
    timeline = pg_rows_get(rows, 0, 3);
    status->standby = pg_rows_bool(rows, 0, 0);
    if (!lsn || !lsn_parse(lsn, &status->lsn))
        return broken("where its log stands; has this standby replayed anything?", error);
    if (!pg_rows_get(rows, 0, 2) || !timeline || !pg_rows_get(rows, 0, 4))
        return broken("which cluster it is", error);
    status->system_id = (uint64_t)number_at(rows, 2);
    status->timeline = (uint32_t)strtoul(timeline, NULL, 16);
    *ret_clock = g_ascii_strtod(pg_rows_get(rows, 0, 4), NULL);
    status->now = (int64_t)*ret_clock;
    g_free(status->archive_mode);
    status->archive_mode = g_strdup(pg_rows_get(rows, 0, 5));
    return true;
}

/* ---- its archiver ---- */

static const char archiver_query[] =
    "select archived_count, failed_count, last_archived_wal, last_failed_wal,"
    " extract(epoch from last_archived_time)::bigint, extract(epoch from last_failed_time)::bigint,"
    " extract(epoch from stats_reset)::bigint from pg_catalog.pg_stat_archiver";

static bool read_archiver(PgConn *conn, PgWalStatus *status, GError **error)
{
    g_autoptr(PgRows) rows = pg_query(conn, archiver_query, NULL, error);

    if (!rows)
        return false;
    status->archived_count = number_at(rows, 0);
    status->failed_count = number_at(rows, 1);
    status->last_archived = g_strdup(pg_rows_get(rows, 0, 2));
    status->last_failed = g_strdup(pg_rows_get(rows, 0, 3));
    status->last_archived_at = number_at(rows, 4);
    status->last_failed_at = number_at(rows, 5);
    status->stats_reset = number_at(rows, 6);
    return true;
}

/* ---- what only some roles may see ---- */

/* *ret_rows stays NULL when this role may not ask. */
static bool ask(PgConn *conn, const char *sql, PgRows **ret_rows, GError **error)
{
    g_autoptr(GError) failure = NULL;

    *ret_rows = pg_query(conn, sql, NULL, &failure);
    if (*ret_rows || g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool read_files(PgConn *conn, PgWalStatus *status, GError **error)
{
    g_autoptr(PgRows) ready = NULL, files = NULL, directory = NULL;

    status->n_ready = status->wal_files = status->wal_bytes = -1;
    if (!ask(conn,
             "select count(*) from pg_catalog.pg_ls_archive_statusdir() where name like '%.ready'",
             &ready, error) ||
        !ask(conn, "select count(*), coalesce(sum(size), 0)::bigint from pg_catalog.pg_ls_waldir()",
             &files, error) ||
        !ask(conn, "select setting from pg_catalog.pg_settings where name = 'data_directory'",
             &directory, error))
        return false;
    if (ready)
        status->n_ready = number_at(ready, 0);
    if (files) {
        status->wal_files = number_at(files, 0);
        status->wal_bytes = number_at(files, 1);
    }
    if (directory && pg_rows_count(directory) == 1)
        status->data_directory = g_strdup(pg_rows_get(directory, 0, 0));
    return true;
}

/* ---- how fast it grows ---- */

static bool read_average(PgConn *conn, PgWalStatus *status, GError **error)
{
    g_autoptr(PgRows) rows = NULL;

    status->average = -1;
    if (pg_conn_version(conn) < 140000)
        return true; // the view is younger
    if (!ask(conn,
             "select (wal_bytes / greatest(extract(epoch from pg_catalog.clock_timestamp() - "
             "stats_reset), 1))::pg_catalog.float8 from pg_catalog.pg_stat_wal",
             &rows, error))
        return false;
    if (rows && pg_rows_count(rows) == 1 && pg_rows_get(rows, 0, 0))
        status->average = g_ascii_strtod(pg_rows_get(rows, 0, 0), NULL);
    return true;
}

bool pg_wal_status(PgConn *conn, int64_t measure_ms, const Cancel *cancel, PgWalStatus *ret_status,
                   GError **error)
{
    g_auto(PgWalStatus) status = { 0 };
    uint64_t first;
    double begin, end;

    if (pg_conn_version(conn) < OLDEST) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "the server is PostgreSQL %s; 13 or later is needed",
                    pg_conn_version_text(conn));
        return false;
    }
    if (!read_where(conn, &status, &begin, error))
        return false;
    first = status.lsn;
    if (!cancel_sleep(cancel, measure_ms, error) || !read_where(conn, &status, &end, error) ||
        !read_archiver(conn, &status, error) || !read_files(conn, &status, error) ||
        !read_average(conn, &status, error))
        return false;
    if (end > begin && status.lsn > first)
        status.rate = (double)(status.lsn - first) / (end - begin);
    *ret_status = status;
    status = (PgWalStatus){ 0 };
    return true;
}
