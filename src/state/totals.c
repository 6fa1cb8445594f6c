/* SPDX-License-Identifier: Apache-2.0 */
#include "state/totals.h"

#include "state/cataloging.h"
#include <string.h>

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

const int64_t run_duration_bounds[RUN_DURATIONS] = {
    SECOND,     5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE,
    2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR,
    2 * HOUR,   4 * HOUR,   8 * HOUR,    24 * HOUR,   INT64_MAX,
};

/* ---- counting ---- */

static bool add_total(Catalog *catalog, const RunRow *row, int64_t duration_ms, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO backup_totals (schedule, kind, state, n, duration_ms, source_bytes,"
                 " added_bytes, stored_bytes) VALUES ($1, $2, $3, 1, $4, $5, $6, $7)"
                 " ON CONFLICT (schedule, kind, state) DO UPDATE SET n = backup_totals.n + 1,"
                 " duration_ms = backup_totals.duration_ms + excluded.duration_ms,"
                 " source_bytes = backup_totals.source_bytes + excluded.source_bytes,"
                 " added_bytes = backup_totals.added_bytes + excluded.added_bytes,"
                 " stored_bytes = backup_totals.stored_bytes + excluded.stored_bytes",
                 error);

    if (!query)
        return false;
    db_bind_text(query, 1, row->schedule ? row->schedule : "");
    db_bind_text(query, 2, row->kind);
    db_bind_text(query, 3, run_state_name(row->state));
    db_bind_int(query, 4, duration_ms);
    db_bind_int(query, 5, (int64_t)row->source_bytes);
    db_bind_int(query, 6, (int64_t)row->added_bytes);
    db_bind_int(query, 7, (int64_t)row->stored_bytes);
    return db_run(query, NULL, error);
}

static bool add_duration(Catalog *catalog, const RunRow *row, int64_t duration_ms, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO backup_durations (schedule, kind, up_to_ms, n) VALUES ($1, $2, $3, 1)"
                 " ON CONFLICT (schedule, kind, up_to_ms) DO UPDATE SET n = backup_durations.n + 1",
                 error);
    unsigned bucket = 0;

    if (!query)
        return false;
    while (duration_ms > run_duration_bounds[bucket])
        bucket++;
    db_bind_text(query, 1, row->schedule ? row->schedule : "");
    db_bind_text(query, 2, row->kind);
    db_bind_int(query, 3, run_duration_bounds[bucket]);
    return db_run(query, NULL, error);
}

bool totals_add(Catalog *catalog, const RunRow *row, GError **error)
{
    bool begun = row->started_at != 0 && row->ended_at != 0;
    // a clock that was set back meanwhile must not make a counter fall
    int64_t duration_ms = begun ? MAX(row->ended_at - row->started_at, 0) : 0;

    return add_total(catalog, row, duration_ms, error) &&
           (!begun || add_duration(catalog, row, duration_ms, error));
}

/* ---- reading ---- */

static void clear_total(gpointer data)
{
    RunTotal *total = data;

    g_free(total->schedule);
    g_free(total->kind);
}

static void clear_durations(gpointer data)
{
    RunDurations *durations = data;

    g_free(durations->schedule);
    g_free(durations->kind);
}

bool catalog_totals(Catalog *catalog, GArray **ret_totals, GError **error)
{
    g_autoptr(GArray) totals = g_array_new(FALSE, TRUE, sizeof(RunTotal));
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT schedule, kind, state, n, duration_ms, source_bytes, added_bytes,"
                 " stored_bytes FROM backup_totals ORDER BY schedule, kind, state",
                 error);

    g_array_set_clear_func(totals, clear_total);
    while (query) {
        RunTotal total = { 0 };
        bool found;

        if (!db_step(query, &found, error))
            return false;
        if (!found) {
            *ret_totals = g_steal_pointer(&totals);
            return true;
        }
        if (!run_state_parse(db_row_text(query, 2), &total.state, error))
            return false;
        total.schedule = g_strdup(db_row_text(query, 0));
        total.kind = g_strdup(db_row_text(query, 1));
        total.n = (uint64_t)db_int(query, 3);
        total.duration_ms = (uint64_t)db_int(query, 4);
        total.source_bytes = (uint64_t)db_int(query, 5);
        total.added_bytes = (uint64_t)db_int(query, 6);
        total.stored_bytes = (uint64_t)db_int(query, 7);
        g_array_append_val(totals, total);
    }
    return false;
}

/* Rows come sorted, so those of one histogram follow each other. */
static RunDurations *histogram_of(GArray *all, DbQuery *query)
{
    const char *schedule = db_row_text(query, 0), *kind = db_row_text(query, 1);
    RunDurations fresh = { 0 };

    if (all->len > 0) {
        RunDurations *last = &g_array_index(all, RunDurations, all->len - 1);

        if (strcmp(last->schedule, schedule) == 0 && strcmp(last->kind, kind) == 0)
            return last;
    }
    fresh.schedule = g_strdup(schedule);
    fresh.kind = g_strdup(kind);
    g_array_append_val(all, fresh);
    return &g_array_index(all, RunDurations, all->len - 1);
}

bool catalog_durations(Catalog *catalog, GArray **ret_durations, GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(RunDurations));
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "SELECT schedule, kind, up_to_ms, n FROM backup_durations"
                                        " ORDER BY schedule, kind, up_to_ms",
                                        error);

    g_array_set_clear_func(all, clear_durations);
    while (query) {
        unsigned bucket = 0;
        bool found;

        if (!db_step(query, &found, error))
            return false;
        if (!found) {
            *ret_durations = g_steal_pointer(&all);
            return true;
        }
        while (db_int(query, 2) > run_duration_bounds[bucket])
            bucket++;
        histogram_of(all, query)->n[bucket] += (uint64_t)db_int(query, 3);
    }
    return false;
}
