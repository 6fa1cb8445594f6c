/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webruns.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/rfc3339.h"
#include "daemon/backuprow.h"
#include "daemon/webproblem.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PAGE     50
#define PAGE_MAX 200
#define LOG_PART (256 * 1024)

/* ---- shapes ---- */

static const char *const kinds[] = { "backup", "restore", "drill",  "check",
                                     "sweep",  "import",  "forget", NULL };
static const char *const states[] = { "queued",    "running", "succeeded", "partial", "failed",
                                      "cancelled", "skipped", "deleted",   NULL };
static const char *const triggers[] = { "schedule", "catch-up", "manual", "retry", NULL };

static const ShapeField run_fields[] = {
    { "id", SHAPE_ID, SHAPE_REQUIRED },
    { "kind", SHAPE_TEXT, SHAPE_REQUIRED, .words = kinds },
    { "schedule", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "id" },
    { "schedule_name", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "repository", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "state", SHAPE_TEXT, SHAPE_REQUIRED },
    { "trigger", SHAPE_TEXT, SHAPE_REQUIRED, .words = triggers },
    { "due_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "created_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "started_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "ended_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "stage", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "the last one it told" },
    { "exit_code", SHAPE_INT, SHAPE_REQUIRED, .max = 255 },
    { "error", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "source_bytes", SHAPE_INT, SHAPE_REQUIRED, "what was read" },
    { "added_bytes", SHAPE_INT, SHAPE_REQUIRED, "what was new of it" },
    { "stored_bytes", SHAPE_INT, SHAPE_REQUIRED, "what that takes in the repository" },
    { "files", SHAPE_INT, SHAPE_REQUIRED },
    { "spread_ms", SHAPE_INT, SHAPE_REQUIRED | SHAPE_NULL,
      "of a group: from the earliest moment of a source to the latest; null: no moments were "
      "held" },
    { "pause_ms", SHAPE_INT, SHAPE_REQUIRED | SHAPE_NULL,
      "of a group: how long the application was paused; null: it was not" },
    { "attempt", SHAPE_INT, SHAPE_REQUIRED },
    { "node", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { "user", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "who asked for it; null: the schedule" },
    { "detail", SHAPE_OBJECT, 0,
      "snapshots, warnings, errors and the moments of a group, as the run told them" },
    { NULL },
};
const Shape run_shape = { "Run", run_fields };

static const ShapeField runs_fields[] = {
    { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &run_shape },
    { "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL,
      "the cursor of the next page; null: no more" },
    { NULL },
};
const Shape runs_shape = { "Runs", runs_fields };

const ShapeField runs_query[] = {
    { "limit", SHAPE_INT, 0, "how many", .min = 1, .max = PAGE_MAX },
    { "cursor", SHAPE_ID, 0, "\"next\" of the page before" },
    { "schedule", SHAPE_TEXT, 0, "id of a schedule", .min = 1, .max = 128 },
    { "kind", SHAPE_TEXT, 0, .words = kinds },
    { "state", SHAPE_TEXT, 0, .words = states },
    { "since", SHAPE_TIME, 0, "not made before" },
    { "until", SHAPE_TIME, 0, "made before" },
    { NULL },
};

const ShapeField log_query[] = {
    { "offset", SHAPE_INT, 0, "in bytes, from which to read; X-Next-Offset says where to go on" },
    { NULL },
};

/* ---- rows ---- */

static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static void set_ms(json_t *object, const char *name, int64_t ms)
{
    set(object, name, ms < 0 ? json_null() : json_integer((json_int_t)ms));
}

static json_t *run_json(const RunRow *row, bool whole)
{
    json_t *run = json_object();

    set(run, "id", web_text(row->id));
    set(run, "kind", web_text(row->kind));
    set(run, "schedule", web_text(row->schedule));
    set(run, "schedule_name", web_text(row->schedule_name));
    set(run, "repository", web_text(row->repository));
    set(run, "state", web_text(run_state_name(row->state)));
    set(run, "trigger", web_text(run_trigger_name(row->trigger)));
    set(run, "due_at", web_time(row->due_at));
    set(run, "created_at", web_time(row->created_at));
    set(run, "started_at", web_time(row->started_at));
    set(run, "ended_at", web_time(row->ended_at));
    set(run, "stage", web_text(row->stage));
    set(run, "exit_code", json_integer(row->exit_code));
    set(run, "error", web_text(row->error));
    set(run, "source_bytes", json_integer((json_int_t)row->source_bytes));
    set(run, "added_bytes", json_integer((json_int_t)row->added_bytes));
    set(run, "stored_bytes", json_integer((json_int_t)row->stored_bytes));
    set(run, "files", json_integer((json_int_t)row->files));
    set_ms(run, "spread_ms", backup_row_group_ms(row, "spread_ms"));
    set_ms(run, "pause_ms", backup_row_group_ms(row, "pause_ms"));
    set(run, "attempt", json_integer(row->attempt));
    set(run, "node", web_text(row->node));
    set(run, "user", web_text(row->user));
    if (whole && row->detail)
        json_object_set(run, "detail", row->detail);
    return run;
}

static int64_t query_time(const WebCall *call, const char *name)
{
    const char *text = web_query(call, name);
    Timestamp time = { 0 };

    if (text)
        (void)rfc3339_parse(text, strlen(text), &time, NULL); // it was checked
    return time.sec * 1000 + time.nsec / 1000000;
}

/* The newest of them all is a cursor too: what is made while somebody pages comes before it. */
static bool page(WebCall *call, const char *kind, const char *or_kind, unsigned wanted,
                 WebAnswer *answer, GError **error)
{
    unsigned limit = (unsigned)web_query_int(call, "limit", PAGE);
    const char *state = web_query(call, "state");
    RunState one;
    const RunQuery query = {
        .schedule = web_query(call, "schedule"),
        .kind = kind ? kind : web_query(call, "kind"),
        .or_kind = or_kind,
        .before = web_query(call, "cursor"),
        .states = state && run_state_parse(state, &one, NULL)
                      ? (wanted ? wanted & 1u << one : 1u << one)
                      : wanted,
        .since = query_time(call, "since"),
        .until = query_time(call, "until"),
        .limit = limit + 1,
    };
    g_autoptr(GArray) rows = NULL;
    json_t *items = json_array();
    const char *next = NULL;

    // a state that no backup is in gives none, not all
    if (query.states == 0 && state) {
        web_answer_json(answer, 200, web_page(items, NULL));
        return true;
    }
    if (!catalog_runs(call->catalog, &query, &rows, error)) {
        json_decref(items);
        return false;
    }
    for (guint i = 0; i < MIN(rows->len, limit); i++)
        json_array_append_new(items, run_json(&g_array_index(rows, RunRow, i), false));
    if (rows->len > limit)
        next = g_array_index(rows, RunRow, limit - 1).id;
    web_answer_json(answer, 200, web_page(items, next));
    return true;
}

bool web_list_runs(WebCall *call, WebAnswer *answer, GError **error)
{
    return page(call, NULL, NULL, 0, answer, error);
}

bool web_get_run(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };

    if (!catalog_run_get(call->catalog, call->params[0], &row, error))
        return false;
    web_answer_json(answer, 200, run_json(&row, true));
    return true;
}

bool web_list_backups(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *asked = web_query(call, "kind");

    // of the two kinds that leave backups (backup_row_is()) one may be asked for
    if (asked && strcmp(asked, "import") == 0)
        return page(call, "import", NULL, BACKUP_LEFT, answer, error);
    return page(call, "backup", asked && strcmp(asked, "backup") == 0 ? NULL : "import",
                BACKUP_LEFT, answer, error);
}

bool web_find_backup(WebCall *call, RunRow *ret_row, GError **error)
{
    g_auto(RunRow) row = { 0 };

    if (!catalog_run_get(call->catalog, call->params[0], &row, error))
        return false;
    if (!backup_row_is(&row))
        return web_refuse(error, 404, "not-found", "this run left no backup");
    *ret_row = row;
    row = (RunRow){ 0 };
    return true;
}

bool web_get_backup(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };

    if (!web_find_backup(call, &row, error))
        return false;
    web_answer_json(answer, 200, run_json(&row, true));
    return true;
}

bool web_list_drills(WebCall *call, WebAnswer *answer, GError **error)
{
    return page(call, "drill", NULL, 0, answer, error);
}

bool web_get_drill(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };

    if (!catalog_run_get(call->catalog, call->params[0], &row, error))
        return false;
    if (strcmp(row.kind, "drill") != 0)
        return web_refuse(error, 404, "not-found", "this run is no drill");
    web_answer_json(answer, 200, run_json(&row, true));
    return true;
}

const ShapeField delete_query[] = {
    { "force", SHAPE_BOOL, 0, "also the newest good one of its schedule; needs \"confirm\"" },
    { "confirm", SHAPE_TEXT, 0, "the name of its schedule", .min = 1, .max = 128 },
    { NULL },
};

bool web_delete_backup(WebCall *call, WebAnswer *answer, GError **error)
{
    const bool force = g_strcmp0(web_query(call, "force"), "true") == 0;
    g_auto(RunRow) row = { 0 };

    return web_find_backup(call, &row, error) &&
           web_order(call,
                     json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s}", "op", "task", "kind", "forget",
                               "backup", row.id, "force", (int)force, "confirm",
                               web_query(call, "confirm"), "user", call->who.user),
                     answer, error);
}

bool web_cancel_run(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };
    json_t *reply = NULL;

    if (!catalog_run_get(call->catalog, call->params[0], &row, error))
        return false;
    if (run_state_ended(row.state))
        return web_refuse(error, 409, "ended", "the run has ended already");
    if (!web_ask(call, json_pack("{s:s, s:s}", "op", "cancel", "run", row.id), &reply, error))
        return false;
    json_decref(reply);
    web_answer_empty(answer, 202);
    return true;
}

/* ---- what it told ---- */

/* Whole lines alone: the last one may be in the middle of being written. */
static void answer_lines(WebAnswer *answer, char *data, size_t len, int64_t offset)
{
    const char *end = memrchr(data, '\n', len);
    g_autofree char *next = NULL;

    len = end ? (size_t)(end - data) + 1 : 0;
    next = g_strdup_printf("%" G_GINT64_FORMAT, offset + (int64_t)len);
    data[len] = '\0';
    web_answer_text(answer, 200, "application/x-ndjson", data);
    web_answer_header(answer, "X-Next-Offset", next);
}

bool web_run_log(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(RunRow) row = { 0 };
    g_autofree char *path = NULL;
    g_autofree char *data = g_malloc(LOG_PART + 1);
    fs_autoclose int fd = -1;
    int64_t offset = web_query_int(call, "offset", 0);
    size_t len;

    if (!catalog_run_get(call->catalog, call->params[0], &row, error))
        return false;
    path = g_build_filename(call->web->runs, row.id, "events", NULL);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return web_refuse(error, 404, "no-log", "%s",
                          errno == ENOENT ? "its log is not here: it was removed, not begun, or "
                                            "written by another node"
                                          : "its log cannot be read");
    if (!fs_pread_full(fd, data, LOG_PART, (uint64_t)offset, &len, path, error))
        return false;
    answer_lines(answer, data, len, offset);
    return true;
}
