/* SPDX-License-Identifier: Apache-2.0 */
/* Of repositories, stores and the WAL of clusters: what daemon/survey.h has measured. */
#include "daemon/metricsparts.h"
#include "daemon/survey.h"

#include "codec/rfc3339.h"

#include <math.h>
#include <string.h>

/* A row of a table is a family; NAN leaves a sample out. */
typedef struct {
    const char *repository, *source; /* source: NULL of a repository */
    const json_t *row;               /* of the repository, or the lag of the cluster; NULL */
    const json_t *way;               /* of a cluster; NULL */
    uint64_t quota;
    int64_t checked_at; /* Unix seconds; 0: not known */
} Place;

typedef struct {
    const char *name, *type;
    double (*value)(const Place *of);
    const char *help;
} Family;

/* ---- repositories ---- */

static double repository_up(const Place *of)
{
    return measured_at(of->row) != 0 ? measured_up(of->row) : NAN;
}

static double repository_measured(const Place *of)
{
    return measured_seen(of->row) != 0 ? (double)measured_seen(of->row) : NAN;
}

static double repository_size(const Place *of)
{
    return measured_number(of->row, "bytes");
}

static double repository_snapshots(const Place *of)
{
    return measured_number(of->row, "places.snapshots.objects");
}

static double repository_lock_age(const Place *of)
{
    const double oldest = measured_time(of->row, "places.locks.oldest");

    if (isnan(oldest)) // none is there, unless nobody has looked
        return measured_seen(of->row) != 0 ? 0 : NAN;
    return MAX((double)measured_seen(of->row) - oldest, 0);
}

static double repository_checked(const Place *of)
{
    return of->checked_at != 0 ? (double)of->checked_at : NAN;
}

static double store_free(const Place *of)
{
    MeasuredRoom room;

    return measured_room(of->row, of->quota, &room) ? room.free : NAN;
}

static double store_days(const Place *of)
{
    MeasuredRoom room;

    return measured_room(of->row, of->quota, &room) ? room.days_left : NAN;
}

static const Family of_repository[] = {
    { "repository_up", "gauge", repository_up,
      "Whether the repository answered when it was measured last." },
    { "repository_measured_timestamp_seconds", "gauge", repository_measured,
      "When it was measured last, Unix time." },
    { "repository_size_bytes", "gauge", repository_size, "What lies in the repository." },
    { "repository_snapshots", "gauge", repository_snapshots, "Snapshots in the repository." },
    { "repository_lock_age_seconds", "gauge", repository_lock_age,
      "Age of the oldest lock when it was measured; 0: none." },
    { "repository_last_check_timestamp_seconds", "gauge", repository_checked,
      "When the last check that succeeded ended, Unix time." },
    { "store_free_bytes", "gauge", store_free,
      "Room that is left, by the disk or the quota, whichever is less." },
    { "store_days_left", "gauge", store_days,
      "Days until that is used up at the growth of the last two weeks." },
};

/* ---- clusters ---- */

static double wal_archived(const Place *of)
{
    return measured_time(of->row, "held_time");
}

static double wal_pending(const Place *of)
{
    return measured_number(of->row, "archiver.waiting");
}

static double wal_failures(const Place *of)
{
    return measured_number(of->row, "archiver.failed_count");
}

static double wal_lag_bytes(const Place *of)
{
    return measured_number(of->row, "lag_bytes");
}

static double wal_lag_seconds(const Place *of)
{
    return measured_number(of->row, "lag_seconds");
}

static double wal_up(const Place *of)
{
    return repository_up(of);
}

static const json_t *way_of(const Place *of)
{
    return measured_way(of->way, of->row);
}

static double wal_gaps(const Place *of)
{
    const json_t *way = way_of(of);

    return way ? (double)json_integer_value(json_object_get(way, "gaps")) : NAN;
}

/* With a gap nobody can say which moments can be reached. */
static double window_start(const Place *of)
{
    const json_t *way = way_of(of);
    const char *since = json_string_value(json_object_get(way, "since"));
    Timestamp at;

    return wal_gaps(of) == 0 && since && rfc3339_parse(since, strlen(since), &at, NULL)
               ? (double)at.sec
               : NAN;
}

static double window_end(const Place *of)
{
    if (isnan(window_start(of)))
        return NAN;
    return wal_lag_bytes(of) == 0 ? (double)measured_seen(of->row) : wal_archived(of);
}

static const Family of_cluster[] = {
    { "wal_up", "gauge", wal_up, "Whether server and repository answered when asked last." },
    { "wal_last_archived_timestamp_seconds", "gauge", wal_archived,
      "When the newest WAL that is held was stored, Unix time." },
    { "wal_pending_segments", "gauge", wal_pending, "Files that wait for the server's archiver." },
    { "wal_archive_failures_total", "counter", wal_failures,
      "Failures of the server's archiver since its statistics begin." },
    { "wal_lag_bytes", "gauge", wal_lag_bytes, "What the server has written and is not held." },
    { "wal_lag_seconds", "gauge", wal_lag_seconds, "How long that has been so; 0: nothing is." },
    { "wal_gap_count", "gauge", wal_gaps, "Gaps behind the oldest backup." },
    { "pitr_window_start_timestamp_seconds", "gauge", window_start,
      "From then on every moment can be restored, Unix time." },
    { "pitr_window_end_timestamp_seconds", "gauge", window_end, "Up to then, Unix time." },
};

/* ---- printing ---- */

static char *labels_of(const Place *place)
{
    GString *labels = g_string_new(NULL);

    if (place->source)
        exposition_label(labels, "source", place->source);
    exposition_label(labels, "repository", place->repository);
    return g_string_free(labels, FALSE);
}

static void print_families(const Exposition *to, const Family *families, size_t n,
                           const GArray *places)
{
    for (size_t i = 0; i < n; i++) {
        exposition_family(to, families[i].name, families[i].type, families[i].help);
        for (guint k = 0; k < places->len; k++) {
            const Place *place = &g_array_index(places, Place, k);
            const double value = families[i].value(place);
            g_autofree char *labels = isnan(value) ? NULL : labels_of(place);

            if (labels)
                exposition_sample(to, families[i].name, labels, value);
        }
    }
}

/* "s3:https://host/bucket" of a bucket, whatever lies before the repository; else the directory. */
static char *store_of(const RepositoryConfig *repository)
{
    const char *location = repository->location, *at;

    if (!g_str_has_prefix(location, "s3:"))
        return g_strdup(location);
    at = strstr(location, "://");
    at = at ? strchr(at + 3, '/') : strchr(location, '/');
    at = at ? strchr(at + 1, '/') : NULL;
    return at ? g_strndup(location, (gsize)(at - location)) : g_strdup(location);
}

static void print_stores(const Exposition *to, const Configuration *configuration,
                         const GArray *places)
{
    g_autoptr(GHashTable) sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer store, sum;

    for (guint i = 0; i < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);
        const double bytes = repository_size(place);
        char *name = store_of(configuration_repository(configuration, place->repository));
        double *before = g_hash_table_lookup(sums, name);

        if (isnan(bytes)) {
            g_free(name);
            continue;
        }
        sum = g_memdup2(&(double){ bytes + (before ? *before : 0) }, sizeof bytes);
        g_hash_table_replace(sums, name, sum);
    }
    exposition_family(to, "store_used_bytes", "gauge",
                      "What repositories take, by directory or bucket.");
    g_hash_table_iter_init(&iter, sums);
    while (g_hash_table_iter_next(&iter, &store, &sum)) {
        g_autoptr(GString) labels = g_string_new(NULL);

        exposition_label(labels, "store", store);
        exposition_sample(to, "store_used_bytes", labels->str, *(const double *)sum);
    }
}

/* ---- gathering ---- */

static void clear_place(gpointer pointer)
{
    Place *place = pointer;

    json_decref((json_t *)place->row);
    json_decref((json_t *)place->way);
}

static GArray *places_new(void)
{
    GArray *places = g_array_new(FALSE, TRUE, sizeof(Place));

    g_array_set_clear_func(places, clear_place);
    return places;
}

static int64_t checked_at(const GArray *checks, const char *repository)
{
    for (guint i = 0; i < checks->len; i++) {
        const RunRow *run = &g_array_index(checks, RunRow, i);

        if (g_strcmp0(run->repository, repository) == 0)
            return run->ended_at / 1000;
    }
    return 0;
}

static GArray *repositories_of(Catalog *catalog, const MetricsOptions *options, GError **error)
{
    const RunQuery query = { .kind = "check",
                             .states = 1u << RUN_SUCCEEDED,
                             .limit = RUN_LIMIT_MAX };
    g_autoptr(GArray) checks = NULL, places = places_new();
    GHashTableIter iter;
    gpointer config;

    if (!catalog_runs(catalog, &query, &checks, error))
        return NULL;
    g_hash_table_iter_init(&iter, options->configuration->repositories);
    while (g_hash_table_iter_next(&iter, NULL, &config)) {
        const RepositoryConfig *repository = config;
        const Place place = { .repository = repository->name,
                              .row = survey_row(catalog, MEASURE_STORE, repository->name, NULL),
                              .quota = repository->quota,
                              .checked_at = checked_at(checks, repository->name) };

        g_array_append_val(places, place);
    }
    return g_steal_pointer(&places);
}

static bool has_place(const GArray *places, const char *repository, const char *source)
{
    for (guint i = 0; i < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);

        if (strcmp(place->repository, repository) == 0 && strcmp(place->source, source) == 0)
            return true;
    }
    return false;
}

/* Several schedules may save the same cluster to the same place. */
static GArray *clusters_of(Catalog *catalog, const MetricsOptions *options)
{
    GArray *places = places_new();

    for (size_t i = 0; i < options->n_schedules; i++) {
        const Schedule *schedule = options->schedules[i];

        for (char **source = schedule->sources; source && *source; source++) {
            Place place = { .repository = schedule->repository, .source = *source };

            if (!survey_server_of(options->configuration, *source) ||
                has_place(places, schedule->repository, *source))
                continue;
            place.row = survey_row(catalog, MEASURE_LAG, schedule->repository, *source);
            place.way = survey_row(catalog, MEASURE_WAY, schedule->repository, NULL);
            g_array_append_val(places, place);
        }
    }
    return places;
}

bool metrics_print_places(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                          GError **error)
{
    g_autoptr(GArray) repositories = repositories_of(catalog, options, error), clusters = NULL;

    if (!repositories)
        return false;
    clusters = clusters_of(catalog, options);
    print_families(to, of_repository, G_N_ELEMENTS(of_repository), repositories);
    print_stores(to, options->configuration, repositories);
    print_families(to, of_cluster, G_N_ELEMENTS(of_cluster), clusters);
    return true;
}
