/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallag.h"

#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/wal.h"
#include "pg/walname.h"
#include "plan/amount.h"

/* ---- as JSON ---- */

static json_t *json_when(int64_t at)
{
    return at > 0 ? json_time((Timestamp){ .sec = at }) : json_null();
}

static json_t *json_known(int64_t number)
{
    return number >= 0 ? json_integer(number) : json_null();
}

static json_t *json_name(const char *name)
{
    return name ? json_bytes(name) : json_null();
}

static json_t *json_archiver(const PgWalStatus *server)
{
    return json_pack(
        "{s:s, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "mode", server->archive_mode,
        "failing", pg_wal_status_failing(server), "archived_count",
        (json_int_t)server->archived_count, "failed_count", (json_int_t)server->failed_count,
        "last_archived", json_name(server->last_archived), "last_archived_time",
        json_when(server->last_archived_at), "last_failed", json_name(server->last_failed),
        "last_failed_time", json_when(server->last_failed_at), "stats_reset",
        json_when(server->stats_reset), "waiting", json_known(server->n_ready));
}

static void tell_json(const WalLag *lag, bool within)
{
    const PgWalStatus *server = &lag->server;
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, server->system_id);
    json_t *object = json_pack(
        "{s:s, s:s, s:i, s:b, s:s, s:b, s:o, s:o, s:o, s:o, s:f, s:o, s:o}", "message_type",
        "wal_lag", "system_identifier", id, "timeline", (int)server->timeline, "standby",
        server->standby, "server_lsn", lsn_text(server->lsn).text, "within_limits", within,
        "archiver", json_archiver(server), "wal_files", json_known(server->wal_files), "wal_bytes",
        json_known(server->wal_bytes), "free_bytes", json_known(lag->free_bytes),
        "bytes_per_second", server->rate, "average_bytes_per_second",
        server->average >= 0 ? json_real(server->average) : json_null(), "seconds_until_full",
        json_known(lag->full_in));

    json_object_set_new(object, "held_lsn",
                        lag->held ? json_string(lsn_text(lag->held_end).text) : json_null());
    json_object_set_new(object, "held_time", json_when(lag->held_at));
    json_object_set_new(object, "lag_bytes",
                        lag->held ? json_integer((json_int_t)lag->bytes) : json_null());
    json_object_set_new(object, "lag_seconds",
                        lag->held ? json_integer(lag->seconds) : json_null());
    output_json(object);
}

/* ---- for people ---- */

static void print_held(const WalLag *lag)
{
    g_autofree char *bytes = size_format(lag->bytes);
    g_autofree char *at = output_time((Timestamp){ .sec = lag->held_at });

    printf("server:   timeline %u at %s%s\n", lag->server.timeline, lsn_text(lag->server.lsn).text,
           lag->server.standby ? ", a standby" : "");
    if (!lag->held)
        printf("archive:  holds nothing of this timeline\n");
    else if (lag->bytes == 0)
        printf("archive:  holds all of it, up to %s\n", lsn_text(lag->held_end).text);
    else
        printf("archive:  holds all up to %s, stored %s: %s and %" G_GINT64_FORMAT " s behind\n",
               lsn_text(lag->held_end).text, at, bytes, lag->seconds);
}

static void print_archiver(const PgWalStatus *server)
{
    g_autofree char *failed = output_time((Timestamp){ .sec = server->last_failed_at });

    printf("archiver: archive_mode %s, %" G_GINT64_FORMAT " archived, %" G_GINT64_FORMAT " %s",
           server->archive_mode, server->archived_count, server->failed_count,
           plural((uint64_t)server->failed_count, "failure", "failures"));
    if (server->n_ready >= 0)
        printf(", %" G_GINT64_FORMAT " waiting", server->n_ready);
    printf("\n");
    if (server->last_failed)
        printf("          %s: %s at %s\n",
               pg_wal_status_failing(server) ? "FAILING" : "last failure", server->last_failed,
               failed);
}

static void print_disk(const WalLag *lag)
{
    g_autofree char *size = size_format((uint64_t)MAX(lag->server.wal_bytes, 0));
    g_autofree char *room = size_format((uint64_t)MAX(lag->free_bytes, 0));
    g_autofree char *rate = size_format((uint64_t)MAX(lag->server.rate, lag->server.average));

    if (lag->server.wal_bytes >= 0)
        printf("pg_wal:   %s in %" G_GINT64_FORMAT " files\n", size, lag->server.wal_files);
    printf("growth:   %s a second\n", rate);
    if (lag->free_bytes >= 0)
        printf("disk:     %s free\n", room);
    if (lag->full_in >= 0)
        printf("          full in %" G_GINT64_FORMAT
               " h %02d min if nothing is archived from now on\n",
               lag->full_in / 3600, (int)(lag->full_in / 60 % 60));
}

bool wal_lag_run(const Context *context, OpenRepo *open, const char *url, char *const *limits,
                 GError **error)
{
    WalLagLimit limit = { 0 };
    g_auto(WalLag) lag = { 0 };

    for (; limits && *limits; limits++)
        if (!wal_lag_limit_parse(*limits, &limit, error))
            return false;
    if (!op_wal_lag(open, url, context->cancel, &lag, error))
        return false;
    if (context->settings->json) {
        tell_json(&lag, wal_lag_within(&lag, &limit, NULL));
    } else if (!context->settings->quiet) {
        print_held(&lag);
        print_archiver(&lag.server);
        print_disk(&lag);
    }
    return wal_lag_within(&lag, &limit, error);
}
