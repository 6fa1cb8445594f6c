/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schedules.h"

#include "base/error.h"
#include "base/log.h"
#include "base/zone.h"
#include "daemon/scheduleentry.h"
#include <string.h>

#define AGAIN     10 /* s: the catalogue did not answer */
#define RETRY_MAX (6 * 3600)
#define SWEEP     "sweep"

/* ---- the table ---- */

static void entry_free(gpointer data)
{
    Entry *entry = data;

    g_clear_pointer(&entry->zone, g_time_zone_unref);
    schedule_free(entry->own);
    g_free(entry);
}

Schedules *schedules_new(Catalog *catalog, SchedulesOrder order, void *user)
{
    Schedules *schedules = g_new0(Schedules, 1);

    schedules->catalog = catalog;
    schedules->order = order;
    schedules->user = user;
    schedules->entries = g_ptr_array_new_with_free_func(entry_free);
    schedules->sweep_at = DUE_NEVER;
    return schedules;
}

void schedules_free(Schedules *schedules)
{
    if (!schedules)
        return;
    g_ptr_array_unref(schedules->entries);
    g_free(schedules);
}

static Entry *find(const GPtrArray *entries, const char *id)
{
    for (guint i = 0; i < entries->len; i++) {
        Entry *entry = g_ptr_array_index(entries, i);

        if (strcmp(entry->schedule->id, id) == 0)
            return entry;
    }
    return NULL;
}

const Schedule *schedules_find(const Schedules *schedules, const char *id)
{
    const Entry *entry = find(schedules->entries, id);

    for (guint i = 0; !entry && i < schedules->entries->len; i++) {
        const Entry *other = g_ptr_array_index(schedules->entries, i);

        if (strcmp(other->schedule->name, id) == 0)
            entry = other;
    }
    return entry ? entry->schedule : NULL;
}

guint schedules_count(const Schedules *schedules)
{
    return schedules->entries->len;
}

static int64_t late_max_of(const Schedule *schedule)
{
    switch (schedule->catch_up) {
    case CATCH_UP_ALWAYS:
        return DUE_ALWAYS;
    case CATCH_UP_WITHIN:
        return schedule->catch_up_within;
    case CATCH_UP_NEVER:
        break;
    }
    return 0;
}

DueRule schedule_rule(const Entry *entry)
{
    const Schedule *schedule = entry->schedule;

    return (DueRule){ .cron = &schedule->cron,
                      .zone = entry->zone,
                      .key = schedule->id,
                      .jitter = schedule->jitter,
                      .late_max = late_max_of(schedule),
                      .enabled = schedule->enabled,
                      .paused_until = entry->paused_until };
}

static void retry_later(Entry *entry, const RunRow *row, int64_t now)
{
    int64_t wait = entry->schedule->retry_wait;

    if (row->state != RUN_FAILED || row->due_at == 0 || row->attempt > entry->schedule->retries ||
        g_strcmp0(row->error, "concurrent") == 0)
        return;
    for (int n = 1; n < row->attempt && wait < RETRY_MAX; n++)
        wait *= 2;
    entry->retry_at = now + CLAMP(wait, 1, RETRY_MAX);
    entry->retry_due = row->due_at;
    entry->retry_attempt = row->attempt + 1;
}

/* ---- loading ---- */

/* A new one counts from now; one whose times were changed does, too. */
static bool remember(Schedules *schedules, Entry *entry, int64_t now, GError **error)
{
    const Schedule *schedule = entry->schedule;
    const Entry *before = find(schedules->entries, schedule->id);
    int64_t paused_ms, due_ms;

    if (!catalog_pause_get(schedules->catalog, schedule->id, &paused_ms, error) ||
        !catalog_due_get(schedules->catalog, schedule->id, &due_ms, error))
        return false;
    entry->paused_until = MAX(schedule->paused_until, (paused_ms + 999) / 1000);
    entry->kept = entry->decided = due_ms / 1000;
    if (before) {
        entry->decided = before->decided;
        entry->retry_at = before->retry_at;
        entry->retry_due = before->retry_due;
        entry->retry_attempt = before->retry_attempt;
    }
    if (due_ms == 0 || (before && (strcmp(before->schedule->cron_text, schedule->cron_text) != 0 ||
                                   strcmp(before->schedule->zone, schedule->zone) != 0)))
        entry->decided = now;
    return true;
}

/* What had failed when we were stopped is tried again as if we had not been. */
static bool remember_retry(Schedules *schedules, Entry *entry, int64_t now, GError **error)
{
    g_auto(RunRow) last = { 0 };
    g_auto(RunRow) success = { 0 };

    if (find(schedules->entries, entry->schedule->id))
        return true;
    if (!catalog_last(schedules->catalog, entry->schedule->id, &last, &success, error))
        return false;
    if (last.id && last.due_at == entry->decided * 1000)
        retry_later(entry, &last, now);
    return true;
}

static bool add(Schedules *schedules, GPtrArray *entries, const Schedule *schedule, Schedule *own,
                int64_t now, GError **error)
{
    Entry *entry = g_new0(Entry, 1);

    entry->schedule = schedule;
    entry->own = own;
    entry->zone = zone_find(schedule->zone);
    g_ptr_array_add(entries, entry);
    return remember(schedules, entry, now, error) && remember_retry(schedules, entry, now, error);
}

static bool add_stored(Schedules *schedules, GPtrArray *entries, const Configuration *configuration,
                       const ScheduleRow *row, int64_t now, GError **error)
{
    g_autoptr(GError) problem = NULL;
    Schedule *schedule;

    if (!schedule_from_json(configuration, row->definition, &schedule, &problem)) {
        log_error("a schedule of the catalogue does not fit the configuration", "schedule",
                  row->name, "error", problem->message, NULL);
        return true;
    }
    g_free(schedule->id);
    schedule->id = g_strdup(row->id);
    schedule->enabled = row->enabled;
    return add(schedules, entries, schedule, schedule, now, error);
}

static bool load_all(Schedules *schedules, GPtrArray *entries, const Configuration *configuration,
                     int64_t now, GError **error)
{
    g_autoptr(GArray) rows = NULL;
    GHashTableIter iter;
    gpointer schedule;

    g_hash_table_iter_init(&iter, configuration->schedules);
    while (g_hash_table_iter_next(&iter, NULL, &schedule))
        if (!add(schedules, entries, schedule, NULL, now, error))
            return false;
    if (!catalog_schedules(schedules->catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++)
        if (!add_stored(schedules, entries, configuration, &g_array_index(rows, ScheduleRow, i),
                        now, error))
            return false;
    return true;
}

static bool load_sweep(Schedules *schedules, const Configuration *configuration, int64_t now,
                       GError **error)
{
    const int64_t minute = configuration->server.sweep_minute;
    g_autofree char *cron = g_strdup_printf("%d %d * * *", (int)(minute % 60), (int)(minute / 60));
    int64_t due_ms;

    if (!catalog_due_get(schedules->catalog, SWEEP, &due_ms, error) ||
        !cron_parse(cron, &schedules->sweep, error))
        return false;
    schedules->sweep_kept = due_ms / 1000;
    schedules->sweep_decided = due_ms > 0 ? due_ms / 1000 : now;
    schedules->sweep_at = now;
    return true;
}

bool schedules_load(Schedules *schedules, const Configuration *configuration, int64_t now,
                    GError **error)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);

    // what was paused or disabled until now has not missed anything
    if (schedules->entries->len > 0)
        (void)schedules_look(schedules, now, true);
    if (!load_all(schedules, entries, configuration, now, error) ||
        !load_sweep(schedules, configuration, now, error))
        return false;
    g_ptr_array_unref(schedules->entries);
    schedules->entries = g_steal_pointer(&entries);
    return true;
}

/* ---- looking ---- */

static bool keep(Schedules *schedules, const char *id, bool from_file, int64_t decided,
                 int64_t *kept)
{
    g_autoptr(GError) error = NULL;

    if (decided == *kept)
        return true;
    if (!catalog_due_put(schedules->catalog, id, from_file, decided * 1000, &error)) {
        log_warn("what was decided of a schedule cannot be written yet", "schedule", id, "error",
                 error->message, NULL);
        return false;
    }
    *kept = decided;
    return true;
}

/* Only a metric is less when it cannot be counted. */
static void count_missed(Schedules *schedules, const Entry *entry, const DueLook *look)
{
    g_autoptr(GError) error = NULL;

    if (!catalog_missed_add(schedules->catalog, entry->schedule->id, look->missed_last * 1000,
                            look->missed, &error))
        log_warn("missed runs are not counted", "schedule", entry->schedule->name, "error",
                 error->message, NULL);
}

static void log_missed(const Entry *entry, const DueLook *look)
{
    g_autofree char *n =
        g_strdup_printf("%u%s", look->missed, look->missed == DUE_MISSED_MAX ? " or more" : "");
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(look->missed_last);
    g_autofree char *last = g_date_time_format_iso8601(time);

    log_warn("runs were missed", "schedule", entry->schedule->name, "runs", n, "last", last, NULL);
}

static void look_at_entry(Schedules *schedules, Entry *entry, int64_t now)
{
    const DueRule rule = schedule_rule(entry);
    const Schedule *schedule = entry->schedule;
    DueLook look;

    due_look(&rule, entry->decided, now, &look);
    if (look.clock_was_ahead)
        log_warn("the clock was set back", "schedule", schedule->name, NULL);
    if (look.act != DUE_NOTHING &&
        !schedules->order(schedule, "backup",
                          look.act == DUE_RUN ? TRIGGER_SCHEDULE : TRIGGER_CATCH_UP,
                          look.due * 1000, 1, schedules->user)) {
        entry->look_at = now + AGAIN;
        return;
    }
    if (look.act != DUE_NOTHING)
        entry->retry_at = 0; // the new one takes its place
    if (look.missed > 0)
        log_missed(entry, &look);
    entry->decided = look.decided;
    entry->look_at = look.look_at;
    if (!keep(schedules, schedule->id, entry->own == NULL, entry->decided, &entry->kept))
        entry->look_at = MIN(entry->look_at, now + AGAIN);
    if (look.missed > 0) // behind keep(), which makes the schedule known
        count_missed(schedules, entry, &look);
}

static void retry(Schedules *schedules, Entry *entry, int64_t now)
{
    if (entry->retry_at == 0 || entry->retry_at > now)
        return;
    if (schedules->order(entry->schedule, "backup", TRIGGER_RETRY, entry->retry_due,
                         entry->retry_attempt, schedules->user))
        entry->retry_at = 0;
    else
        entry->retry_at = now + AGAIN;
}

static void look_at_sweep(Schedules *schedules, int64_t now)
{
    const DueRule rule = {
        .cron = &schedules->sweep, .key = SWEEP, .late_max = DUE_ALWAYS, .enabled = true
    };
    DueLook look;

    due_look(&rule, schedules->sweep_decided, now, &look);
    for (guint i = 0; look.act != DUE_NOTHING && i < schedules->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(schedules->entries, i);

        if (entry->schedule->enabled && !schedules->order(entry->schedule, SWEEP, TRIGGER_SCHEDULE,
                                                          look.due * 1000, 1, schedules->user)) {
            schedules->sweep_at = now + AGAIN;
            return;
        }
    }
    schedules->sweep_decided = look.decided;
    schedules->sweep_at = look.look_at;
    if (!keep(schedules, SWEEP, true, look.decided, &schedules->sweep_kept))
        schedules->sweep_at = MIN(schedules->sweep_at, now + AGAIN);
}

int64_t schedules_look(Schedules *schedules, int64_t now, bool clock_was_set)
{
    int64_t next;

    if (clock_was_set || schedules->sweep_at <= now)
        look_at_sweep(schedules, now);
    next = schedules->sweep_at;
    for (guint i = 0; i < schedules->entries->len; i++) {
        Entry *entry = g_ptr_array_index(schedules->entries, i);

        if (clock_was_set || entry->look_at <= now)
            look_at_entry(schedules, entry, now);
        retry(schedules, entry, now);
        next = MIN(next, entry->look_at);
        if (entry->retry_at > 0)
            next = MIN(next, entry->retry_at);
    }
    return next;
}

void schedules_ended(Schedules *schedules, const RunRow *row, int64_t now)
{
    Entry *entry = row->schedule ? find(schedules->entries, row->schedule) : NULL;

    if (entry)
        retry_later(entry, row, now);
}
