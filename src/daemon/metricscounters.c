/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, from the sums that are kept beside the history. */
#include "daemon/metricsparts.h"

#include "state/schedules.h"
#include "state/totals.h"

#include <string.h>

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

static bool print_missed(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                         GError **error)
{
    exposition_family(to, "backup_missed_runs_total", "counter", "Due times that got no run.");
    for (size_t i = 0; i < options->n_schedules; i++) {
        g_autofree char *labels = schedule_labels(options->schedules[i]);
        int64_t n;

        if (!catalog_missed_get(catalog, options->schedules[i]->id, &n, error))
            return false;
        exposition_sample(to, "backup_missed_runs_total", labels, (double)n);
    }
    return true;
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

bool metrics_print_counters(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                            GError **error)
{
    g_autoptr(GArray) totals = NULL, durations = NULL;

    if (!catalog_totals(catalog, &totals, error) || !catalog_durations(catalog, &durations, error))
        return false;
    print_totals(to, totals, options);
    if (!print_missed(to, catalog, options, error))
        return false;
    if (options->file)
        return true;
    exposition_family(to, "backup_duration_seconds", "histogram", "How long runs took.");
    for (size_t i = 0; i < options->n_schedules; i++)
        print_histogram(to, totals, durations, options->schedules[i]);
    return true;
}
