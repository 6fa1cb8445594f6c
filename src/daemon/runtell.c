/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtell.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include <string.h>

#define KEPT_MAX 200 /* of warnings, errors, snapshots: a row is no log */

void run_life_clear(RunLife *life)
{
    json_decref(life->status);
    *life = (RunLife){ 0 };
}

/* ---- members ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static uint64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) && json_number_value(value) > 0
               ? (uint64_t)json_number_value(value)
               : 0;
}

static int64_t time_of(const json_t *event)
{
    const char *text = text_of(event, "time");
    Timestamp time;

    if (!text || !rfc3339_parse(text, strlen(text), &time, NULL))
        return clock_now_ms();
    return time.sec * 1000 + time.nsec / 1000000;
}

static json_t *detail_of(RunRow *row)
{
    if (!row->detail)
        row->detail = json_object();
    return row->detail;
}

static void keep(RunRow *row, const char *list, const json_t *event)
{
    json_t *kept = json_object_get(detail_of(row), list);

    if (!kept) {
        kept = json_array();
        json_object_set_new(row->detail, list, kept);
    }
    if (json_array_size(kept) < KEPT_MAX) {
        json_t *copy = json_deep_copy(event);

        json_object_del(copy, "message_type");
        json_array_append_new(kept, copy);
    }
}

/* ---- lines ---- */

static RunTold begin(RunRow *row, RunLife *life, const json_t *event)
{
    life->pid = (pid_t)MIN(number_of(event, "pid"), INT32_MAX);
    life->start_time = number_of(event, "start_time");
    row->started_at = time_of(event);
    return RUN_TOLD_MORE;
}

static RunTold stage(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    g_free(row->stage);
    row->stage = g_strdup(text_of(event, "stage"));
    return RUN_TOLD_MORE;
}

static RunTold status(G_GNUC_UNUSED RunRow *row, RunLife *life, const json_t *event)
{
    json_decref(life->status);
    life->status = json_deep_copy(event);
    return RUN_TOLD_PROGRESS;
}

static RunTold snapshot(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    keep(row, "snapshots", event);
    return RUN_TOLD_MORE;
}

static RunTold group(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    json_t *copy = json_deep_copy(event), *sources = json_object_get(copy, "sources");

    json_object_del(copy, "message_type");
    while (json_array_size(sources) > KEPT_MAX)
        json_array_remove(sources, json_array_size(sources) - 1);
    json_object_set_new(detail_of(row), "group", copy);
    return RUN_TOLD_MORE;
}

/* An application may have been paused for a group that was not saved then. */
static void keep_pause(RunRow *row, const json_t *end)
{
    const json_t *pause = json_object_get(end, "pause_ms");

    if (pause && !json_object_get(row->detail, "group"))
        json_object_set_new(detail_of(row), "group",
                            json_pack("{s:n, s:O}", "spread_ms", "pause_ms", pause));
}

static void keep_retention(RunRow *row, const json_t *end)
{
    static const char *const keys[] = { "removed", "retention_applied" };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (json_object_get(end, keys[i]))
            json_object_set(detail_of(row), keys[i], json_object_get(end, keys[i]));
}

static RunTold warning(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    keep(row, "warnings", event);
    return RUN_TOLD_LITTLE;
}

static RunTold result(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    keep(row, "results", event);
    return RUN_TOLD_MORE;
}

static RunTold item_error(RunRow *row, G_GNUC_UNUSED RunLife *life, const json_t *event)
{
    keep(row, "errors", event);
    return RUN_TOLD_LITTLE;
}

static RunTold end(RunRow *row, RunLife *life, const json_t *event)
{
    const char *word = text_of(event, "state");
    RunState state = RUN_FAILED;

    if (!word || !run_state_parse(word, &state, NULL) || !run_state_ended(state))
        state = RUN_FAILED;
    run_tell_end(row, state, (int)MIN(number_of(event, "code"), 255), text_of(event, "error"));
    row->ended_at = time_of(event);
    row->source_bytes = number_of(event, "bytes");
    row->added_bytes = number_of(event, "added");
    row->stored_bytes = number_of(event, "stored");
    row->files = number_of(event, "files");
    keep_pause(row, event);
    keep_retention(row, event);
    life->ended = true;
    return RUN_TOLD_END;
}

static RunTold summary(RunRow *row, RunLife *life, const json_t *event)
{
    run_tell_end(row, RUN_SUCCEEDED, 0, NULL);
    row->source_bytes = MAX(number_of(event, "total_bytes"), number_of(event, "bytes_restored"));
    row->files = MAX(number_of(event, "total_files"), number_of(event, "files_restored"));
    keep(row, "summary", event);
    life->ended = true;
    return RUN_TOLD_END;
}

static RunTold exit_error(RunRow *row, RunLife *life, const json_t *event)
{
    const int code = (int)MIN(number_of(event, "code"), 255);

    run_tell_end(row, code == 130 ? RUN_CANCELLED : RUN_FAILED, code, text_of(event, "message"));
    life->ended = true;
    return RUN_TOLD_END;
}

RunTold run_tell(RunRow *row, RunLife *life, const json_t *event)
{
    static const struct {
        const char *type;
        RunTold (*take)(RunRow *row, RunLife *life, const json_t *event);
    } lines[] = {
        { "run_begin", begin },   { "stage", stage },     { "status", status },
        { "snapshot", snapshot }, { "warning", warning }, { "error", item_error },
        { "run_end", end },       { "summary", summary }, { "exit_error", exit_error },
        { "result", result },     { "group", group },
    };
    const char *type = text_of(event, "message_type");

    for (size_t i = 0; type && i < G_N_ELEMENTS(lines); i++)
        if (strcmp(type, lines[i].type) == 0)
            return lines[i].take(row, life, event);
    return RUN_TOLD_LITTLE;
}

void run_tell_end(RunRow *row, RunState state, int code, const char *error)
{
    char *copy = g_strdup(error);

    row->state = state;
    row->exit_code = code;
    row->ended_at = clock_now_ms();
    g_free(row->error);
    row->error = copy;
}
