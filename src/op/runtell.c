/* SPDX-License-Identifier: Apache-2.0 */
/* The events of op/running.h. */
#include "base/error.h"
#include "op/running.h"
#include <stdarg.h>
#include <unistd.h>

void run_stage(Run *run, const char *stage, const char *source)
{
    json_t *event = json_pack("{s:s, s:s}", "message_type", "stage", "stage", stage);

    if (source)
        json_object_set_new(event, "source", run_event_text(source));
    run_events_add(run->events, event);
}

void run_log(Run *run, const char *level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    run_events_add(run->events, run_event_log(level, text));
}

void run_warn(Run *run, json_t *warning)
{
    json_array_append(run->warnings, json_object_get(warning, "message"));
    run_events_add(run->events, warning);
}

void run_warn_text(Run *run, const char *what, const char *text)
{
    run_warn_condition(run, NULL, what, text);
}

void run_warn_condition(Run *run, const char *condition, const char *what, const char *text)
{
    g_autofree char *message = g_strconcat(what, ": ", text, NULL);

    run_warn(run, json_pack("{s:s, s:o, s:s*}", "message_type", "warning", "message",
                            run_event_text(message), "condition", condition));
}

void run_event_begin(Run *run)
{
    const RunRequest *request = run->request;

    run_events_add(run->events,
                   json_pack("{s:s, s:s, s:o, s:s, s:i, s:I}", "message_type", "run_begin", "run",
                             request->id, "schedule", run_event_text(request->schedule->name),
                             "trigger", run_trigger_name(request->trigger), "pid", (int)getpid(),
                             "start_time", (json_int_t)run_event_start_time()));
}

bool run_event_end(Run *run, GError **error)
{
    int code = bs_error_exit_status(run->failure);
    json_t *end = json_pack(
        "{s:s, s:s, s:i, s:o?, s:I, s:I, s:I, s:I, s:O, s:i, s:b, s:O}", "message_type", "run_end",
        "state", run_state_name(run->state), "code", code, "error",
        run->failure ? run_event_text(run->failure->message) : json_null(), "bytes",
        (json_int_t)run->bytes, "added", (json_int_t)run->added, "stored", (json_int_t)run->stored,
        "files", (json_int_t)run->files, "snapshots", run->snapshots, "removed", (int)run->removed,
        "retention_applied", run->retained, "warnings", run->warnings);

    if (run->spread_ms >= 0)
        json_object_set_new(end, "spread_ms", json_integer((json_int_t)run->spread_ms));
    if (run->pause_ms >= 0)
        json_object_set_new(end, "pause_ms", json_integer((json_int_t)run->pause_ms));
    return run_events_end(run->events, end, error);
}
