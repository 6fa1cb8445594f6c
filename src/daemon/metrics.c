/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include "base/error.h"
#include "base/fs.h"
#include "daemon/exposition.h"
#include "daemon/incident.h"
#include "plan/cron.h"
#include "state/totals.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what is known of a schedule ---- */

typedef struct {
    const Schedule *schedule;
    RunRow last, success; /* backups; id NULL: none */
    RunRow drill, proof;  /* the last drill, the last that succeeded */
    int64_t next, interval;
} Known;

static void known_clear(gpointer pointer)
{
    Known *known = pointer;

    run_row_clear(&known->last);
    run_row_clear(&known->success);
    run_row_clear(&known->drill);
    run_row_clear(&known->proof);
}

/* The newest drill in one of the states; id NULL: none. */
static bool last_drill(Catalog *catalog, const char *schedule, unsigned states, RunRow *ret_row,
                       GError **error)
{
    RunQuery query = { .schedule = schedule, .kind = "drill", .states = states, .limit = 1 };
    g_autoptr(GArray) rows = NULL;

    if (!catalog_runs(catalog, &query, &rows, error))
        return false;
    if (rows->len > 0) {
        *ret_row = g_array_index(rows, RunRow, 0);
        g_array_index(rows, RunRow, 0) = (RunRow){ 0 };
    }
    return true;
}

static bool know(Catalog *catalog, const Schedule *schedule, int64_t now, Known *known,
                 GError **error)
{
    const unsigned ended = 1u << RUN_SUCCEEDED | 1u << RUN_FAILED | 1u << RUN_PARTIAL;
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(schedule->zone);

    known->schedule = schedule;
    if (schedule->enabled && cron_next(&schedule->cron, zone, now, &known->next))
        known->interval = incident_interval(schedule, now);
    return catalog_last(catalog, schedule->id, &known->last, &known->success, error) &&
           last_drill(catalog, schedule->id, ended, &known->drill, error) &&
           last_drill(catalog, schedule->id, 1u << RUN_SUCCEEDED, &known->proof, error);
}

static GArray *know_all(Catalog *catalog, const MetricsOptions *options, GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(Known));

    g_array_set_clear_func(all, known_clear);
    g_array_set_size(all, (guint)options->n_schedules);
    for (guint i = 0; i < all->len; i++)
        if (!know(catalog, options->schedules[i], options->now, &g_array_index(all, Known, i),
                  error))
            return NULL;
    return g_steal_pointer(&all);
}

/* ---- gauges: a row of the table is a family, NAN leaves a sample out ---- */

/* Of one source of a schedule, or of the whole with source NULL. */
typedef struct {
    const Known *known;
    const char *source;
    int64_t now;
} Subject;

static const json_t *snapshot_of(const RunRow *run, const char *source)
{
    const json_t *snapshot;
    size_t i;

    json_array_foreach(json_object_get(run->detail, "snapshots"), i, snapshot)
    {
        const char *name = json_string_value(json_object_get(snapshot, "source"));

        if (name && source && strcmp(name, source) == 0)
            return snapshot;
    }
    return NULL;
}

static double seconds_at(const RunRow *run, int64_t at_ms)
{
    return run->id && at_ms != 0 ? (double)at_ms / 1000 : NAN;
}

static double last_success(const Subject *of)
{
    return seconds_at(&of->known->success, of->known->success.ended_at);
}

static double last_attempt(const Subject *of)
{
    return seconds_at(&of->known->last, of->known->last.created_at);
}

/* A source may have succeeded in a run that is incomplete. */
static double last_status(const Subject *of)
{
    const RunRow *last = &of->known->last;
    const json_t *snapshot = snapshot_of(last, of->source);
    const char *state = json_string_value(json_object_get(snapshot, "state"));

    if (!last->id || !run_state_ended(last->state))
        return NAN;
    if (last->state == RUN_PARTIAL && state)
        return strcmp(state, run_state_name(RUN_SUCCEEDED)) == 0;
    return last->state == RUN_SUCCEEDED;
}

static double next_run(const Subject *of)
{
    return of->known->next != 0 ? (double)of->known->next : NAN;
}

static double expected_interval(const Subject *of)
{
    return of->known->interval != 0 ? (double)of->known->interval : NAN;
}

static double bytes_of(const Subject *of, const char *key, uint64_t sum)
{
    const RunRow *run = &of->known->success;
    const json_t *value = json_object_get(snapshot_of(run, of->source), key);

    if (!run->id)
        return NAN;
    if (json_is_integer(value))
        return (double)json_integer_value(value);
    // of a run of one source the sums are its own
    return !of->source || g_strv_length(of->known->schedule->sources) == 1 ? (double)sum : NAN;
}

static double source_bytes(const Subject *of)
{
    return bytes_of(of, "bytes", of->known->success.source_bytes);
}

static double added_bytes(const Subject *of)
{
    return bytes_of(of, "added", of->known->success.added_bytes);
}

static double stored_bytes(const Subject *of)
{
    return bytes_of(of, "stored", of->known->success.stored_bytes);
}

static double duration(const RunRow *run)
{
    return run->id && run->started_at != 0 && run->ended_at >= run->started_at
               ? (double)(run->ended_at - run->started_at) / 1000
               : NAN;
}

static double last_duration(const Subject *of)
{
    return run_state_ended(of->known->last.state) ? duration(&of->known->last) : NAN;
}

/* What would be lost now: everything since the last success began. */
static double rpo(const Subject *of)
{
    double at = seconds_at(&of->known->success, of->known->success.started_at);

    return isnan(at) ? NAN : MAX((double)of->now - at, 0);
}

static double health_hours(const Subject *of)
{
    double at = last_success(of);

    return isnan(at) ? NAN : MAX((double)of->now - at, 0) / 3600;
}

static double target(int64_t seconds)
{
    return seconds != 0 ? (double)seconds : NAN;
}

static double rpo_target(const Subject *of)
{
    return target(of->known->schedule->rpo_target);
}

static double rto_target(const Subject *of)
{
    return target(of->known->schedule->rto_target);
}

static double rto(const Subject *of)
{
    return duration(&of->known->proof);
}

static double drill_success(const Subject *of)
{
    return seconds_at(&of->known->proof, of->known->proof.ended_at);
}

static double drill_status(const Subject *of)
{
    return of->known->drill.id ? of->known->drill.state == RUN_SUCCEEDED : NAN;
}

static double drill_duration(const Subject *of)
{
    return duration(&of->known->drill);
}

typedef enum { OF_SOURCES, OF_SCHEDULE, OF_FILE /* and of the schedule */ } Of;

static const struct {
    const char *name;
    Of of;
    double (*value)(const Subject *of);
    const char *help;
} gauges[] = {
    { "backup_last_success_timestamp_seconds", OF_SOURCES, last_success,
      "When the last backup that succeeded ended, Unix time." },
    { "backup_last_attempt_timestamp_seconds", OF_SOURCES, last_attempt,
      "When the last run was begun, Unix time." },
    { "backup_last_status", OF_SOURCES, last_status,
      "Whether the last run that ended has succeeded." },
    { "backup_next_run_timestamp_seconds", OF_SOURCES, next_run,
      "When the schedule is due next, Unix time." },
    { "backup_expected_interval_seconds", OF_SOURCES, expected_interval,
      "Longest time between two runs by the schedule." },
    { "backup_source_bytes", OF_SOURCES, source_bytes, "Size of what was saved last." },
    { "backup_added_bytes", OF_SOURCES, added_bytes, "What of it was new, before compression." },
    { "backup_stored_bytes", OF_SOURCES, stored_bytes, "What it added to the repository." },
    { "backup_status", OF_SCHEDULE, last_status, "Whether the last run has succeeded." },
    { "backup_size_bytes", OF_SCHEDULE, stored_bytes,
      "What the last backup added to the repository, compressed." },
    { "backup_health_hours", OF_SCHEDULE, health_hours, "Hours since the last success." },
    { "backup_last_duration_seconds", OF_SCHEDULE, last_duration, "How long the last run took." },
    { "backup_duration_seconds", OF_FILE, last_duration, "How long the last run took." },
    { "rpo_seconds", OF_SCHEDULE, rpo, "Age of what the last success has saved." },
    { "rpo_target_seconds", OF_SCHEDULE, rpo_target, "How old it may become." },
    { "rto_seconds", OF_SCHEDULE, rto, "How long the last drill that succeeded took." },
    { "rto_target_seconds", OF_SCHEDULE, rto_target, "How long it may take." },
    { "drill_last_success_timestamp_seconds", OF_SCHEDULE, drill_success,
      "When the last drill that succeeded ended, Unix time." },
    { "drill_last_status", OF_SCHEDULE, drill_status, "Whether the last drill has succeeded." },
    { "drill_duration_seconds", OF_SCHEDULE, drill_duration, "How long the last drill took." },
};

static char *labels_of(const Subject *of)
{
    const Schedule *schedule = of->known->schedule;
    const json_t *last = snapshot_of(&of->known->last, of->source);
    const json_t *snapshot = last ? last : snapshot_of(&of->known->success, of->source);
    GString *labels = g_string_new(NULL);

    if (of->source) {
        exposition_label(labels, "source", of->source);
        exposition_label(labels, "kind", json_string_value(json_object_get(snapshot, "kind")));
    }
    exposition_label(labels, "schedule", schedule->name);
    exposition_label(labels, "repository", schedule->repository);
    return g_string_free(labels, FALSE);
}

static void print_gauge(const Exposition *to, size_t row, const Subject *of)
{
    double value = gauges[row].value(of);
    g_autofree char *labels = isnan(value) ? NULL : labels_of(of);

    if (labels)
        exposition_sample(to, gauges[row].name, labels, value);
}

static void print_gauges(const Exposition *to, const GArray *all, const MetricsOptions *options)
{
    for (size_t row = 0; row < G_N_ELEMENTS(gauges); row++) {
        if (gauges[row].of == OF_FILE && !options->file)
            continue;
        exposition_family(to, gauges[row].name, "gauge", gauges[row].help);
        for (guint i = 0; i < all->len; i++) {
            Subject of = { .known = &g_array_index(all, Known, i), .now = options->now };

            if (gauges[row].of != OF_SOURCES)
                print_gauge(to, row, &of);
            for (char **source = of.known->schedule->sources;
                 gauges[row].of == OF_SOURCES && source && *source; source++) {
                of.source = *source;
                print_gauge(to, row, &of);
            }
        }
    }
}

/* ---- counters, from the sums that are kept beside the history ---- */

static char *schedule_labels(const Schedule *schedule)
{
    GString *labels = g_string_new(NULL);

    exposition_label(labels, "schedule", schedule->name);
    return g_string_free(labels, FALSE);
}

static uint64_t total_of(const GArray *totals, const char *schedule, RunState state)
{
    for (guint i = 0; i < totals->len; i++) {
        const RunTotal *total = &g_array_index(totals, RunTotal, i);

        if (total->state == state && strcmp(total->kind, "backup") == 0 &&
            strcmp(total->schedule, schedule) == 0)
            return total->n;
    }
    return 0;
}

static void print_totals(const Exposition *to, const GArray *totals, const MetricsOptions *options)
{
    static const struct {
        RunState state;
        const char *status;
    } words[] = {
        { RUN_SUCCEEDED, "success" },   { RUN_FAILED, "failed" },   { RUN_PARTIAL, "partial" },
        { RUN_CANCELLED, "cancelled" }, { RUN_SKIPPED, "skipped" },
    };

    exposition_family(to, "backups_total", "counter", "Runs that ended, by how.");
    for (size_t i = 0; i < options->n_schedules; i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(words); j++) {
            const Schedule *schedule = options->schedules[i];
            g_autoptr(GString) labels = g_string_new(NULL);

            exposition_label(labels, "status", words[j].status);
            exposition_label(labels, "schedule", schedule->name);
            exposition_sample(to, "backups_total", labels->str,
                              (double)total_of(totals, schedule->id, words[j].state));
        }
    }
}

static const RunDurations *durations_of(const GArray *durations, const char *schedule)
{
    for (guint i = 0; i < durations->len; i++) {
        const RunDurations *row = &g_array_index(durations, RunDurations, i);

        if (strcmp(row->kind, "backup") == 0 && strcmp(row->schedule, schedule) == 0)
            return row;
    }
    return NULL;
}

static double seconds_spent(const GArray *totals, const char *schedule)
{
    double ms = 0;

    for (guint i = 0; i < totals->len; i++) {
        const RunTotal *total = &g_array_index(totals, RunTotal, i);

        if (strcmp(total->kind, "backup") == 0 && strcmp(total->schedule, schedule) == 0)
            ms += (double)total->duration_ms;
    }
    return ms / 1000;
}

static void print_histogram(const Exposition *to, const GArray *totals, const GArray *durations,
                            const Schedule *schedule)
{
    const RunDurations *row = durations_of(durations, schedule->id);
    g_autofree char *labels = schedule_labels(schedule);
    uint64_t n = 0;

    for (unsigned i = 0; i < RUN_DURATIONS; i++) {
        int64_t bound = run_duration_bounds[i];
        g_autofree char *text = bound == INT64_MAX
                                    ? g_strdup("+Inf")
                                    : g_strdup_printf("%" G_GINT64_FORMAT, bound / 1000);
        g_autofree char *bucket = g_strdup_printf(
            "%s,le=\"%s%s\"", labels, text, to->openmetrics && bound != INT64_MAX ? ".0" : "");

        n += row ? row->n[i] : 0;
        exposition_sample(to, "backup_duration_seconds_bucket", bucket, (double)n);
    }
    exposition_sample(to, "backup_duration_seconds_sum", labels,
                      seconds_spent(totals, schedule->id));
    exposition_sample(to, "backup_duration_seconds_count", labels, (double)n);
}

static bool print_counters(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                           GError **error)
{
    g_autoptr(GArray) totals = NULL, durations = NULL;

    if (!catalog_totals(catalog, &totals, error) || !catalog_durations(catalog, &durations, error))
        return false;
    print_totals(to, totals, options);
    if (options->file)
        return true;
    exposition_family(to, "backup_duration_seconds", "histogram", "How long runs took.");
    for (size_t i = 0; i < options->n_schedules; i++)
        print_histogram(to, totals, durations, options->schedules[i]);
    return true;
}

/* ---- the rest ---- */

static bool print_runs(const Exposition *to, Catalog *catalog, GError **error)
{
    static const RunState states[] = { RUN_QUEUED, RUN_RUNNING };

    exposition_family(to, "runs", "gauge", "Runs that have not ended, of any kind.");
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        RunQuery query = { .states = 1u << states[i], .limit = RUN_LIMIT_MAX };
        g_autoptr(GArray) rows = NULL;
        g_autoptr(GString) labels = g_string_new(NULL);

        if (!catalog_runs(catalog, &query, &rows, error))
            return false;
        exposition_label(labels, "state", run_state_name(states[i]));
        exposition_sample(to, "runs", labels->str, rows->len);
    }
    return true;
}

static void print_channel(const Exposition *to, const char *name, const char *channel, double value)
{
    g_autoptr(GString) labels = g_string_new(NULL);

    exposition_label(labels, "channel", channel);
    exposition_sample(to, name, labels->str, value);
}

static void print_channels(const Exposition *to, const MetricsOptions *options)
{
    if (!options->channels)
        return;
    exposition_family(to, "notification_failures_total", "counter",
                      "Attempts to deliver a notification that failed, since the start.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notification_failures_total", options->channels[i].channel,
                      (double)options->channels[i].failures);
    exposition_family(to, "notifications_dropped_total", "counter",
                      "Notifications that were given up, since the start.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notifications_dropped_total", options->channels[i].channel,
                      (double)options->channels[i].dropped);
    exposition_family(to, "notifications_waiting", "gauge", "Notifications in the queue.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notifications_waiting", options->channels[i].channel,
                      options->channels[i].waiting);
}

bool metrics_print(Catalog *catalog, const MetricsOptions *options, GString *out, GError **error)
{
    Exposition to = { .out = out, .prefix = options->prefix, .openmetrics = options->openmetrics };
    g_autoptr(GArray) all = NULL;

    if (!exposition_is_name(options->prefix)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "no name of a metric begins with '%s'",
                    options->prefix);
        return false;
    }
    all = know_all(catalog, options, error);
    if (!all)
        return false;
    exposition_family(&to, "build_info", "gauge", "The program; always 1.");
    exposition_sample(&to, "build_info", "version=\"" BS_VERSION "\"", 1);
    print_gauges(&to, all, options);
    if (!print_counters(&to, catalog, options, error) || !print_runs(&to, catalog, error))
        return false;
    print_channels(&to, options);
    exposition_end(&to);
    return true;
}

bool metrics_wants_openmetrics(const char *accept)
{
    return accept && strstr(accept, "application/openmetrics-text") != NULL;
}

/* The collector reads *.prom alone, so what is not whole yet has another name. */
bool metrics_write(const char *path, const GString *text, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    fs_autoclose int fd =
        open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        bs_error_errno(error, errno, "creating %s", temporary);
        return false;
    }
    if (!fs_write_all(fd, text->str, text->len, temporary, error))
        return false;
    // whatever the umask says, another user's node_exporter reads it
    if (fchmod(fd, 0644) != 0 || rename(temporary, path) != 0) {
        bs_error_errno(error, errno, "writing %s", path);
        return false;
    }
    return true;
}
