/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallag.h"

#include "base/error.h"
#include "op/wallist.h"
#include "op/walsegment.h"
#include "pg/conn.h"
#include "pg/controlfile.h"
#include "plan/amount.h"

#include <sys/statvfs.h>

#define MEASURE_MS 1000

void wal_lag_clear(WalLag *lag)
{
    pg_wal_status_clear(&lag->server);
}

/* ---- limits ---- */

static bool parse_seconds(const char *text, WalLagLimit *limit)
{
    g_autofree char *number = g_strndup(text, strlen(text) - 1);
    gint64 seconds;

    if (!g_str_has_suffix(text, "s") ||
        !g_ascii_string_to_signed(number, 10, 0, INT64_MAX, &seconds, NULL))
        return false;
    limit->seconds = seconds;
    limit->seconds_given = true;
    return true;
}

bool wal_lag_limit_parse(const char *text, WalLagLimit *limit, GError **error)
{
    g_autofree char *size = g_strdup(text);

    if (*text && parse_seconds(text, limit))
        return true;
    if (g_str_has_suffix(size, "iB")) // 16MiB is what 16M means
        size[strlen(size) - 2] = '\0';
    if (!size_parse(size, &limit->bytes, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--max-lag %s: must be a size such as 16MiB, or seconds such as 60s", text);
        return false;
    }
    limit->bytes_given = true;
    return true;
}

bool wal_lag_within(const WalLag *lag, const WalLagLimit *limit, GError **error)
{
    g_autofree char *bytes = size_format(lag->bytes);

    if (!limit->bytes_given && !limit->seconds_given)
        return true;
    if (!lag->held)
        g_set_error(error, BS_ERROR, BS_ERROR_LAG,
                    "no WAL of timeline %u of cluster %" G_GUINT64_FORMAT " is held",
                    lag->server.timeline, lag->server.system_id);
    else if (limit->bytes_given && lag->bytes > limit->bytes)
        g_set_error(error, BS_ERROR, BS_ERROR_LAG, "the archive is %s behind the server", bytes);
    else if (limit->seconds_given && lag->seconds > limit->seconds)
        g_set_error(error, BS_ERROR, BS_ERROR_LAG,
                    "the archive is %s behind the server since %" G_GINT64_FORMAT " seconds", bytes,
                    lag->seconds);
    else
        return true;
    return false;
}

/* ---- what is held ---- */

static uint64_t end_of(const WalTimeline *timeline)
{
    uint64_t end = timeline->end, lsn;
    WalName segment;

    for (guint i = 0; i < timeline->parts->len; i++)
        if (wal_part_parse(g_array_index(timeline->parts, WalObject, i).name, &segment, &lsn))
            end = MAX(end, lsn);
    return end;
}

static void compare(WalLag *lag, const GPtrArray *clusters)
{
    const PgWalStatus *server = &lag->server;
    const WalTimeline *timeline = wal_timeline_find(clusters, server->system_id, server->timeline);

    lag->held_end = timeline ? end_of(timeline) : 0;
    lag->held = lag->held_end != 0;
    if (!lag->held)
        return;
    lag->held_at = timeline->newest_at;
    if (lag->held_end >= server->lsn)
        return;
    lag->bytes = server->lsn - lag->held_end;
    lag->seconds = MAX(clock_now().sec - lag->held_at, 0);
}

/* ---- the disk ---- */

/* Only of a data directory of this machine: that of the cluster that answers. */
static int64_t free_for(const PgWalStatus *server)
{
    g_autofree char *pg_wal = NULL;
    struct statvfs disk;
    PgControl control;

    if (!server->data_directory || !pg_control_read(server->data_directory, &control, NULL) ||
        control.system_id != server->system_id)
        return -1;
    pg_wal = g_build_filename(server->data_directory, "pg_wal", NULL);
    if (statvfs(pg_wal, &disk) != 0)
        return -1;
    return (int64_t)((uint64_t)disk.f_bavail * disk.f_frsize);
}

/* By the faster of the two, for the disk does not wait for the average. */
static int64_t full_in(const WalLag *lag)
{
    double rate = MAX(lag->server.rate, lag->server.average), seconds;

    if (lag->free_bytes < 0 || rate < 1)
        return -1;
    seconds = (double)lag->free_bytes / rate;
    return seconds < (double)G_MAXINT32 ? (int64_t)seconds : -1;
}

bool op_wal_lag(OpenRepo *open, const char *url, const Cancel *cancel, WalLag *ret_lag,
                GError **error)
{
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    g_autoptr(PgConn) conn = parsed ? pg_connect_server(parsed, cancel, error) : NULL;
    g_autoptr(GPtrArray) clusters = NULL;
    g_auto(WalLag) lag = { 0 };

    // the server first: what is stored meanwhile makes the lag smaller, not larger
    if (!conn || !pg_wal_status(conn, MEASURE_MS, cancel, &lag.server, error) ||
        !op_wal_list(open, cancel, &clusters, NULL, error))
        return false;
    compare(&lag, clusters);
    lag.free_bytes = free_for(&lag.server);
    lag.full_in = full_in(&lag);
    *ret_lag = lag;
    lag = (WalLag){ 0 };
    return true;
}
