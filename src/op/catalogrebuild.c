/* SPDX-License-Identifier: Apache-2.0 */
#include "op/catalogrebuild.h"

#include "base/error.h"
#include "base/log.h"
#include "op/grouptags.h"
#include "state/runs.h"
#include <jansson.h>

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    CatalogRebuilt *rebuilt = user;

    rebuilt->unreadable++;
    log_warn("snapshot cannot be read", "snapshot", id_hex(id).text, "error", problem->message,
             NULL);
    return true;
}

static void free_row(gpointer data)
{
    run_row_clear(data);
    g_free(data);
}

static int64_t ms_of(Timestamp time)
{
    return time.sec * 1000 + time.nsec / 1000000;
}

/* The daemon knows a schedule of the file by its name, one of the API by an id. */
static char *schedule_id(const GArray *schedules, const char *name)
{
    for (guint i = 0; name && i < schedules->len; i++) {
        const ScheduleRow *row = &g_array_index(schedules, ScheduleRow, i);

        if (g_strcmp0(row->name, name) == 0)
            return g_strdup(row->id);
    }
    return g_strdup(name);
}

static RunRow *new_row(const Snapshot *snapshot, const char *id, const char *repository,
                       const GArray *schedules)
{
    const char *name = snapshot_tag_value(snapshot, "schedule");
    RunRow *row = g_new0(RunRow, 1);

    *row = (RunRow){ .id = g_strdup(id),
                     .kind = g_strdup("backup"),
                     .schedule = schedule_id(schedules, name),
                     .schedule_name = g_strdup(name),
                     .repository = g_strdup(repository),
                     .state = RUN_SUCCEEDED,
                     .trigger = name ? TRIGGER_SCHEDULE : TRIGGER_MANUAL,
                     .created_at = run_id_time(id),
                     .started_at = INT64_MAX,
                     .detail = json_pack("{s:b, s:[]}", "rebuilt", 1, "snapshots") };
    return row;
}

static void add_snapshot(RunRow *row, const Snapshot *snapshot)
{
    const SnapshotSummary *summary = &snapshot->summary;
    Timestamp begun = snapshot->has_summary ? summary->backup_start : snapshot->time;
    Timestamp ended = snapshot->has_summary ? summary->backup_end : snapshot->time;
    const char *source = snapshot_tag_value(snapshot, "source");
    const char *kind = snapshot_tag_value(snapshot, "kind");
    json_t *group = group_tags_describe(snapshot);

    if (group && !json_object_get(row->detail, "group"))
        json_object_set_new(row->detail, "group",
                            json_pack("{s:O}", "spread_ms", json_object_get(group, "spread_ms")));
    if (snapshot_tag_value(snapshot, "left-out"))
        row->state = RUN_PARTIAL; // what guards the newest good backup goes by that
    row->started_at = MIN(row->started_at, ms_of(begun));
    row->ended_at = MAX(row->ended_at, ms_of(ended));
    row->source_bytes += summary->total_bytes_processed;
    row->added_bytes += summary->data_added;
    row->stored_bytes += summary->data_added_packed;
    row->files += summary->total_files_processed;
    json_array_append_new(json_object_get(row->detail, "snapshots"),
                          json_pack("{s:s, s:s?, s:s?, s:I, s:o*}", "snapshot_id",
                                    id_hex(&snapshot->id).text, "source", source, "kind", kind,
                                    "bytes", (json_int_t)summary->total_bytes_processed, "group",
                                    group));
}

/* Run id -> RunRow. */
static GHashTable *runs_of(const GPtrArray *snapshots, const char *repository,
                           const GArray *schedules, CatalogRebuilt *rebuilt)
{
    GHashTable *runs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_row);

    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = snapshots->pdata[i];
        const char *id = snapshot_tag_value(snapshot, "run");
        RunRow *row;

        if (!id || !run_id_is_valid(id)) {
            rebuilt->without_run++;
            continue;
        }
        row = g_hash_table_lookup(runs, id);
        if (!row) {
            row = new_row(snapshot, id, repository, schedules);
            g_hash_table_insert(runs, row->id, row);
        }
        add_snapshot(row, snapshot);
    }
    return runs;
}

static bool add_missing(Catalog *catalog, RunRow *row, CatalogRebuilt *rebuilt, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (catalog_run_insert(catalog, row, &failure)) {
        rebuilt->added++;
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool op_catalog_rebuild(OpenRepo *open, const char *repository, Catalog *catalog,
                        const Cancel *cancel, CatalogRebuilt *ret_rebuilt, GError **error)
{
    CatalogRebuilt rebuilt = { 0 };
    g_autoptr(GPtrArray) snapshots = NULL;
    g_autoptr(GArray) schedules = NULL;
    g_autoptr(GHashTable) runs = NULL;
    GHashTableIter iter;
    gpointer row;

    if (!snapshot_list(open->repo, pass_over, &rebuilt, &snapshots, error) ||
        !catalog_schedules(catalog, &schedules, error))
        return false;
    runs = runs_of(snapshots, repository, schedules, &rebuilt);
    g_hash_table_iter_init(&iter, runs);
    while (g_hash_table_iter_next(&iter, NULL, &row))
        if (!cancel_check(cancel, error) || !add_missing(catalog, row, &rebuilt, error))
            return false;
    rebuilt.snapshots = snapshots->len;
    rebuilt.runs = g_hash_table_size(runs);
    *ret_rebuilt = rebuilt;
    return true;
}
