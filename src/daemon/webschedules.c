/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webschedules.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/zone.h"
#include "codec/rfc3339.h"
#include "daemon/webproblem.h"
#include "plan/due.h"
#include <string.h>

#define NEXT 5u /* run times that are told */

/* ---- shapes ---- */

static const char *const origins[] = { "file", "api", NULL };
static const ShapeField schedule_fields[] = {
    { "id", SHAPE_TEXT, SHAPE_REQUIRED },
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "origin", SHAPE_TEXT, SHAPE_REQUIRED, "those of the file are changed there",
      .words = origins },
    { "enabled", SHAPE_BOOL, SHAPE_REQUIRED },
    { "paused_until", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "version", SHAPE_INT, SHAPE_REQUIRED, "0: of the file" },
    { "next", SHAPE_TEXTS, SHAPE_REQUIRED, "when it runs next" },
    { "definition", SHAPE_OBJECT, SHAPE_REQUIRED, "in the shape of backstay.yaml" },
    { "applied", SHAPE_BOOL, 0, "false: the scheduler was not there to hear of the change" },
    { NULL },
};
const Shape schedule_shape = { "Schedule", schedule_fields };
static const ShapeField schedules_fields[] = {
    { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &schedule_shape },
    { "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape schedules_shape = { "Schedules", schedules_fields };
const Shape schedule_body = { "ScheduleDefinition", NULL }; // config/ checks it
static const ShapeField toggle_fields[] = {
    { "enabled", SHAPE_BOOL },
    { "paused_until", SHAPE_TIME, SHAPE_NULL, "null: not paused any more" },
    { NULL },
};
const Shape toggle_body = { "ScheduleToggle", toggle_fields };
static const ShapeField started_fields[] = {
    { "run", SHAPE_ID, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape started_shape = { "Started", started_fields };
static const ShapeField backup_fields[] = {
    { "schedule", SHAPE_TEXT, SHAPE_REQUIRED, "id", .min = 1, .max = 128 },
    { NULL },
};
const Shape backup_body = { "BackupOrder", backup_fields };

/* ---- one schedule, of either kind ---- */

static json_t *next_times(const Schedule *schedule, bool enabled, int64_t paused_until_ms)
{
    g_autoptr(GTimeZone) zone = zone_find(schedule->zone);
    const DueRule rule = { .cron = &schedule->cron,
                           .zone = zone,
                           .key = schedule->id,
                           .enabled = enabled,
                           .paused_until = paused_until_ms / 1000 };
    int64_t times[NEXT];
    unsigned n = enabled ? due_next(&rule, clock_now_ms() / 1000, NEXT, times) : 0;
    json_t *list = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, web_time(times[i] * 1000));
    return list;
}

static json_t *schedule_json(const Schedule *schedule, const char *id, bool enabled,
                             int64_t paused_until, unsigned version)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:I, s:o, s:O}", "id", id, "name", schedule->name,
                     "origin", version ? "api" : "file", "enabled", (int)enabled, "paused_until",
                     web_time(paused_until), "version", (json_int_t)version, "next",
                     next_times(schedule, enabled, paused_until), "definition",
                     schedule->definition);
}

/* What is in the catalogue was checked when it came in, but the file may have changed since. */
static bool api_json(const WebCall *call, const ScheduleRow *row, json_t **ret_json, GError **error)
{
    g_autoptr(Schedule) schedule = NULL;

    (void)call;
    if (!schedule_from_json(NULL, row->definition, &schedule, error))
        return false;
    *ret_json = schedule_json(schedule, row->id, row->enabled, row->paused_until, row->version);
    return true;
}

static bool file_json(WebCall *call, const Schedule *schedule, json_t **ret_json, GError **error)
{
    int64_t paused_until = 0;

    if (!catalog_pause_get(call->catalog, schedule->id, &paused_until, error))
        return false;
    paused_until = MAX(paused_until, schedule->paused_until * 1000);
    *ret_json = schedule_json(schedule, schedule->id, schedule->enabled, paused_until, 0);
    return true;
}

static const Schedule *of_file(const WebCall *call)
{
    return configuration_schedule(call->web->configuration, call->params[0]);
}

static bool refuse_of_file(const WebCall *call, GError **error)
{
    return !of_file(call) || web_refuse(error, 409, "origin-file",
                                        "the schedule stands in the configuration file; change it "
                                        "there and reload");
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Schedule *const *)a)->name, (*(const Schedule *const *)b)->name);
}

static bool add_of_file(WebCall *call, json_t *items, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GHashTableIter all;
    gpointer schedule;

    g_hash_table_iter_init(&all, call->web->configuration->schedules);
    while (g_hash_table_iter_next(&all, NULL, &schedule))
        g_ptr_array_add(sorted, schedule);
    g_ptr_array_sort(sorted, by_name);
    for (guint i = 0; i < sorted->len; i++) {
        json_t *one = NULL;

        if (!file_json(call, sorted->pdata[i], &one, error))
            return false;
        json_array_append_new(items, one);
    }
    return true;
}

static bool add_of_api(WebCall *call, json_t *items, GError **error)
{
    g_autoptr(GArray) rows = NULL;

    if (!catalog_schedules(call->catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        json_t *one = NULL;

        if (!api_json(call, &g_array_index(rows, ScheduleRow, i), &one, error))
            return false;
        json_array_append_new(items, one);
    }
    return true;
}

bool web_list_schedules(WebCall *call, WebAnswer *answer, GError **error)
{
    json_t *items = json_array();

    if (!add_of_file(call, items, error) || !add_of_api(call, items, error)) {
        json_decref(items);
        return false;
    }
    web_answer_json(answer, 200, web_page(items, NULL));
    return true;
}

bool web_get_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    const Schedule *schedule = of_file(call);
    g_auto(ScheduleRow) row = { 0 };
    json_t *json = NULL;

    if (schedule ? !file_json(call, schedule, &json, error)
                 : !catalog_schedule_get(call->catalog, call->params[0], &row, error) ||
                       !api_json(call, &row, &json, error))
        return false;
    web_answer_json(answer, 200, json);
    if (!schedule)
        web_etag(answer, row.version);
    return true;
}

/* ---- changes ---- */

static bool tell_changed(WebCall *call, const char *id)
{
    return web_tell(call, json_pack("{s:s, s:s}", "op", "changed", "schedule", id));
}

static bool answer_row(WebCall *call, const ScheduleRow *row, unsigned status, WebAnswer *answer,
                       GError **error)
{
    json_t *json = NULL;

    if (!api_json(call, row, &json, error))
        return false;
    json_object_set_new(json, "applied", json_boolean(tell_changed(call, row->id)));
    web_answer_json(answer, status, json);
    web_etag(answer, row->version);
    return true;
}

/* What the body says, as the catalogue keeps it. */
static bool read_definition(WebCall *call, ScheduleRow *row, GError **error)
{
    g_autoptr(Schedule) schedule = NULL;

    if (!schedule_from_api(call->web->configuration, call->body, NULL, &schedule, error))
        return false;
    if (configuration_schedule(call->web->configuration, schedule->name))
        return web_refuse(error, 409, "exists", "the configuration file has a schedule '%s'",
                          schedule->name);
    g_free(row->name);
    row->name = g_strdup(schedule->name);
    json_decref(row->definition);
    row->definition = json_incref(schedule->definition);
    row->enabled = schedule->enabled;
    row->paused_until = schedule->paused_until * 1000;
    return true;
}

static bool put(WebCall *call, ScheduleRow *row, unsigned version, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (catalog_schedule_put(call->catalog, row, version, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_STALE))
        return web_match(call, row->version + 1, error); // somebody was faster
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool web_create_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(ScheduleRow) row = { 0 };
    g_autofree char *place = NULL;

    if (!read_definition(call, &row, error) || !put(call, &row, 0, error) ||
        !answer_row(call, &row, 201, answer, error))
        return false;
    place = g_strconcat("/api/admin/backups/schedules/", row.id, NULL);
    web_answer_header(answer, "Location", place);
    return true;
}

bool web_update_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(ScheduleRow) row = { 0 };

    return refuse_of_file(call, error) &&
           catalog_schedule_get(call->catalog, call->params[0], &row, error) &&
           web_match(call, row.version, error) && read_definition(call, &row, error) &&
           put(call, &row, row.version, error) && answer_row(call, &row, 200, answer, error);
}

bool web_delete_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(ScheduleRow) row = { 0 };

    if (!refuse_of_file(call, error) ||
        !catalog_schedule_get(call->catalog, call->params[0], &row, error) ||
        !web_match(call, row.version, error) ||
        !catalog_schedule_delete(call->catalog, row.id, row.version, error))
        return false;
    (void)tell_changed(call, row.id); // it is gone, whether that is heard now or later
    web_answer_empty(answer, 204);
    return true;
}

/* Unix ms of what the body says; 0: null. */
static int64_t paused_until(const WebCall *call)
{
    const char *text = shape_text(call->body, "paused_until");
    Timestamp time = { 0 };

    if (text)
        (void)rfc3339_parse(text, strlen(text), &time, NULL); // it was checked
    return time.sec * 1000;
}

static bool toggle_of_file(WebCall *call, const Schedule *schedule, WebAnswer *answer,
                           GError **error)
{
    json_t *json = NULL;

    if (json_object_get(call->body, "enabled"))
        return refuse_of_file(call, error);
    if (!catalog_pause_put(call->catalog, schedule->id, true, paused_until(call), error) ||
        !file_json(call, schedule, &json, error))
        return false;
    json_object_set_new(json, "applied", json_boolean(tell_changed(call, schedule->id)));
    web_answer_json(answer, 200, json);
    return true;
}

bool web_toggle_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    const Schedule *schedule = of_file(call);
    g_auto(ScheduleRow) row = { 0 };

    if (json_object_size(call->body) == 0)
        return web_refuse(error, 400, "body", "neither enabled nor paused_until is given");
    if (schedule)
        return toggle_of_file(call, schedule, answer, error);
    if (!catalog_schedule_get(call->catalog, call->params[0], &row, error) ||
        !web_match(call, row.version, error))
        return false;
    row.enabled = shape_bool(call->body, "enabled", row.enabled);
    json_object_set_new(row.definition, "enabled", json_boolean(row.enabled));
    if (json_object_get(call->body, "paused_until"))
        row.paused_until = paused_until(call);
    return put(call, &row, row.version, error) && answer_row(call, &row, 200, answer, error);
}

static bool run(WebCall *call, const char *id, WebAnswer *answer, GError **error)
{
    return web_order(
        call, json_pack("{s:s, s:s, s:s}", "op", "run", "schedule", id, "user", call->who.user),
        answer, error);
}

static bool exists(WebCall *call, const char *id, GError **error)
{
    g_auto(ScheduleRow) row = { 0 };

    return configuration_schedule(call->web->configuration, id) ||
           catalog_schedule_get(call->catalog, id, &row, error);
}

bool web_run_schedule(WebCall *call, WebAnswer *answer, GError **error)
{
    return exists(call, call->params[0], error) && run(call, call->params[0], answer, error);
}

bool web_create_backup(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *id = shape_text(call->body, "schedule");

    return exists(call, id, error) && run(call, id, answer, error);
}
