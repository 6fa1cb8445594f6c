/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/backuprow.h"
#include "daemon/scheduleentry.h"

#define SHOWN_TIMES 5u

GPtrArray *schedules_list(const Schedules *schedules)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < schedules->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(schedules->entries, i);

        g_ptr_array_add(list, (gpointer)entry->schedule);
    }
    return list;
}

static json_t *describe(const Entry *entry, int64_t now)
{
    const DueRule rule = schedule_rule(entry);
    int64_t times[SHOWN_TIMES];
    const unsigned n = due_next(&rule, now, SHOWN_TIMES, times);
    json_t *next = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(next, json_integer(times[i] * 1000));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:o}", "id",
                     entry->schedule->id, "name", entry->schedule->name, "origin",
                     entry->own ? "api" : "file", "cron", entry->schedule->cron_text, "timezone",
                     entry->schedule->zone, "repository", entry->schedule->repository, "enabled",
                     entry->schedule->enabled, "paused_until",
                     (json_int_t)entry->paused_until * 1000, "retry_at",
                     (json_int_t)entry->retry_at * 1000, "next", next);
}

static void add_last(json_t *object, const char *key, const RunRow *row)
{
    const int64_t spread_ms = backup_row_group_ms(row, "spread_ms");
    json_t *last;

    if (!row->id)
        return;
    last = json_pack("{s:s, s:s, s:I, s:s?}", "id", row->id, "state", run_state_name(row->state),
                     "ended_at", (json_int_t)row->ended_at, "error", row->error);
    if (spread_ms >= 0)
        json_object_set_new(last, "spread_ms", json_integer((json_int_t)spread_ms));
    json_object_set_new(object, key, last);
}

json_t *schedules_describe(const Schedules *schedules, int64_t now,
                           bool (*running)(const char *schedule, void *user), void *user)
{
    json_t *list = json_array();

    for (guint i = 0; i < schedules->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(schedules->entries, i);
        json_t *object = describe(entry, now);
        g_auto(RunRow) last = { 0 };
        g_auto(RunRow) success = { 0 };

        json_object_set_new(object, "running", json_boolean(running(entry->schedule->id, user)));
        if (catalog_last(schedules->catalog, entry->schedule->id, &last, &success, NULL)) {
            add_last(object, "last", &last);
            add_last(object, "last_success", &success);
        }
        json_array_append_new(list, object);
    }
    return list;
}
