/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metricsparts.h"

#include "base/zone.h"
#include "daemon/incident.h"
#include "daemon/survey.h"
#include "daemon/verdict.h"
#include "plan/cron.h"

#include <math.h>
#include <string.h>

#define UNREACHABLE 21 /* exit statuses */
#define NO_LOGIN    22

/* ---- what is known of a schedule ---- */

typedef struct {
    const Schedule *schedule;
    RunRow last, success; /* backups; id NULL: none */
    RunRow drill, proof;  /* the last drill, the last that succeeded */
    int64_t next, interval;
    double exposed; /* seconds of work that would be lost now; NAN: all, or not known */
} Known;

static void known_clear(gpointer pointer)
{
    Known *known = pointer;

    run_row_clear(&known->last);
    run_row_clear(&known->success);
    run_row_clear(&known->drill);
    run_row_clear(&known->proof);
}

/* Of a cluster whose WAL is held in the repository, too; else, or of any other source, NAN. */
static double exposed_by_wal(Catalog *catalog, const MetricsOptions *options, const char *source,
                             const char *repository)
{
    json_t *lag, *way;
    double exposed;

    if (!options->configuration || !survey_server_of(options->configuration, source))
        return NAN;
    lag = survey_row(catalog, MEASURE_LAG, repository, source);
    way = survey_row(catalog, MEASURE_WAY, repository, NULL);
    exposed = measured_exposed(lag, way, options->now);
    json_decref(lag);
    json_decref(way);
    return exposed;
}

/* What would be lost now: everything since the last success began, but what WAL brings back. Of
 * several sources that one which would lose most. */
static double exposed_of(Catalog *catalog, const MetricsOptions *options, const Known *known)
{
    const Schedule *schedule = known->schedule;
    double age, most = 0;

    if (!known->success.id || known->success.started_at == 0)
        return NAN;
    age = MAX((double)options->now - (double)known->success.started_at / 1000, 0);
    for (char **source = schedule->sources; source && *source; source++) {
        const double wal = exposed_by_wal(catalog, options, *source, schedule->repository);

        most = MAX(most, isnan(wal) ? age : MIN(wal, age));
    }
    return most;
}

static bool know(Catalog *catalog, const Schedule *schedule, const MetricsOptions *options,
                 Known *known, GError **error)
{
    const int64_t now = options->now;
    const unsigned ended = 1u << RUN_SUCCEEDED | 1u << RUN_FAILED | 1u << RUN_PARTIAL;
    g_autoptr(GTimeZone) zone = zone_find(schedule->zone);

    known->schedule = schedule;
    if (schedule->enabled && cron_next(&schedule->cron, zone, now, &known->next))
        known->interval = incident_interval(schedule, now);
    if (!catalog_last(catalog, schedule->id, &known->last, &known->success, error))
        return false;
    known->exposed = exposed_of(catalog, options, known);
    return verdict_newest_drill(catalog, schedule->id, ended, &known->drill, error) &&
           verdict_newest_drill(catalog, schedule->id, 1u << RUN_SUCCEEDED, &known->proof, error);
}

static GArray *know_all(Catalog *catalog, const MetricsOptions *options, GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(Known));

    g_array_set_clear_func(all, known_clear);
    g_array_set_size(all, (guint)options->n_schedules);
    for (guint i = 0; i < all->len; i++)
        if (!know(catalog, options->schedules[i], options, &g_array_index(all, Known, i), error))
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

/* By the exit status of its part of the last run: nobody there, or no login
 * (doc/guide/exit-codes.md); of anything else that went wrong the source was there. */
static double source_up(const Subject *of)
{
    const RunRow *last = &of->known->last;
    const json_t *snapshot = snapshot_of(last, of->source);
    const json_t *code = json_object_get(snapshot, "code");
    const bool alone = g_strv_length(of->known->schedule->sources) == 1;
    int status;

    if (!last->id || !run_state_ended(last->state) || (!snapshot && !alone))
        return NAN;
    status = code ? (int)json_integer_value(code) : alone ? last->exit_code : 0;
    return status != UNREACHABLE && status != NO_LOGIN;
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

static double rpo(const Subject *of)
{
    return of->known->exposed;
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

/* A run keeps what it told as errors (daemon/runtell.h): of a drill each is a check that failed.
 * One that failed without any could not even be restored. */
static double drill_checks_failed(const Subject *of)
{
    const RunRow *drill = &of->known->drill;
    const size_t told = json_array_size(json_object_get(drill->detail, "errors"));

    if (!drill->id)
        return NAN;
    return told > 0 ? (double)told : drill->state != RUN_SUCCEEDED;
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
    { "source_up", OF_SOURCES, source_up, "Whether the last run could reach it." },
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
    { "rpo_seconds", OF_SCHEDULE, rpo, "Seconds of work that would be lost now." },
    { "rpo_target_seconds", OF_SCHEDULE, rpo_target, "How old it may become." },
    { "rto_seconds", OF_SCHEDULE, rto, "How long the last drill that succeeded took." },
    { "rto_target_seconds", OF_SCHEDULE, rto_target, "How long it may take." },
    { "drill_last_success_timestamp_seconds", OF_SCHEDULE, drill_success,
      "When the last drill that succeeded ended, Unix time." },
    { "drill_last_status", OF_SCHEDULE, drill_status, "Whether the last drill has succeeded." },
    { "drill_duration_seconds", OF_SCHEDULE, drill_duration, "How long the last drill took." },
    { "drill_checks_failed", OF_SCHEDULE, drill_checks_failed,
      "What the last drill found wrong; 0: nothing." },
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

static void print_all(const Exposition *to, const GArray *all, const MetricsOptions *options)
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

bool metrics_print_gauges(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                          GError **error)
{
    g_autoptr(GArray) all = know_all(catalog, options, error);

    if (all)
        print_all(to, all, options);
    return all != NULL;
}
