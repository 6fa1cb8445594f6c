/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webrestore.h"

#include "base/error.h"
#include "daemon/runprogress.h"
#include "daemon/webaccess.h"
#include "daemon/webproblem.h"
#include "daemon/webruns.h"
#include <string.h>

#define SHOWN  20u
#define SOUGHT 1000u /* newest restores, among which that of one backup is looked for */

static const ShapeField status_fields[] = {
    { "run", SHAPE_ID, SHAPE_REQUIRED, "id of the restore, a run of kind \"restore\"" },
    { "backup", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "what is restored" },
    { "source", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "target", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "target_kind", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL,
      "directory, cluster, file, server, volume or sqlite" },
    { "state", SHAPE_TEXT, SHAPE_REQUIRED },
    { "stage", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "check, safety-backup or restore" },
    { "progress", SHAPE_OBJECT, SHAPE_REQUIRED | SHAPE_NULL,
      "percent_done, bytes_done, total_bytes and the like, as the command tells them" },
    { "created_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "started_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "ended_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "exit_code", SHAPE_INT, SHAPE_REQUIRED, .max = 255 },
    { "error", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "user", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape restore_status_shape = { "RestoreStatus", status_fields };
static const ShapeField statuses_fields[] = {
    { "running", SHAPE_INT, SHAPE_REQUIRED, "how many of them have not ended" },
    { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &restore_status_shape },
    { NULL },
};
const Shape restore_statuses_shape = { "RestoreStatuses", statuses_fields };

/* ---- asking ---- */

bool web_restore(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };
    g_auto(RestorePlan) plan = { 0 };
    RestoreOrder order = { .configuration = call->web->configuration,
                           .backup = &row,
                           .order = call->body,
                           .run = call->request->id };

    if (!web_find_backup(call, &row, error) || !restore_order(&order, &plan, error) ||
        (plan.overwrite && !web_access_fresh(call, error)))
        return false;
    return web_order(call,
                     json_pack("{s:s, s:s, s:s, s:O, s:s}", "op", "task", "kind", "restore",
                               "backup", row.id, "order", call->body, "user", call->who.user),
                     answer, error);
}

/* ---- following ---- */

static json_t *about(const RunRow *row, const char *key)
{
    return web_text(json_string_value(json_object_get(json_object_get(row->detail, "task"), key)));
}

static json_t *status_json(const WebCall *call, const RunRow *row)
{
    json_t *status = json_object();
    json_t *progress = run_progress(call->web->runs, row->id);

    json_object_set_new(status, "run", web_text(row->id));
    json_object_set_new(status, "backup", about(row, "backup"));
    json_object_set_new(status, "source", about(row, "source"));
    json_object_set_new(status, "target", about(row, "target"));
    json_object_set_new(status, "target_kind", about(row, "target_kind"));
    json_object_set_new(status, "state", web_text(run_state_name(row->state)));
    json_object_set_new(status, "stage", web_text(row->stage));
    json_object_set_new(status, "progress", progress ? progress : json_null());
    json_object_set_new(status, "created_at", web_time(row->created_at));
    json_object_set_new(status, "started_at", web_time(row->started_at));
    json_object_set_new(status, "ended_at", web_time(row->ended_at));
    json_object_set_new(status, "exit_code", json_integer(row->exit_code));
    json_object_set_new(status, "error", web_text(row->error));
    json_object_set_new(status, "user", web_text(row->user));
    return status;
}

static bool restores(WebCall *call, unsigned limit, GArray **ret_rows, GError **error)
{
    const RunQuery query = { .kind = "restore", .limit = limit };

    return catalog_runs(call->catalog, &query, ret_rows, error);
}

bool web_restore_status(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GArray) rows = NULL;

    if (!restores(call, SOUGHT, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *row = &g_array_index(rows, RunRow, i);
        const char *backup =
            json_string_value(json_object_get(json_object_get(row->detail, "task"), "backup"));

        if (g_strcmp0(backup, call->params[0]) == 0) {
            web_answer_json(answer, 200, status_json(call, row));
            return true;
        }
    }
    return web_refuse(error, 404, "not-found", "no restore of this backup was asked for");
}

bool web_restore_statuses(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GArray) rows = NULL;
    json_t *items;
    int running = 0;

    if (!restores(call, SHOWN, &rows, error))
        return false;
    items = json_array();
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *row = &g_array_index(rows, RunRow, i);

        running += !run_state_ended(row->state);
        json_array_append_new(items, status_json(call, row));
    }
    web_answer_json(answer, 200, json_pack("{s:i, s:o}", "running", running, "items", items));
    return true;
}
