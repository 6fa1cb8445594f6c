/* SPDX-License-Identifier: Apache-2.0 */
#include "op/task.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "op/runevents.h"
#include "state/runstate.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_ (1024u * 1024)
#define TEXT_MAX_ 2048u
#define LOOK_MS   200
#define STATUS_MS 1000
#define END_MS    45000 /* for a child that was told to end; the daemon gives us a minute */

typedef struct {
    const TaskSpec *spec;
    const char *program;
    RunEvents *events;
    const Cancel *cancel;
    int64_t status_ms; /* when the last one was told */
    uint64_t bytes, files, added, stored;
    char *why; /* what the last command said of its failure; NULL */
} Task;

/* ---- what a child prints ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)MAX(json_integer_value(json_object_get(object, key)), 0);
}

static void tell(Task *task, const json_t *object)
{
    run_events_add(task->events, json_deep_copy(object));
}

static void tell_status(Task *task, const json_t *object)
{
    const int64_t now = clock_monotonic_ms();

    if (task->status_ms != 0 && now - task->status_ms < STATUS_MS)
        return;
    task->status_ms = now;
    tell(task, object);
}

static void tell_note(Task *task, const json_t *object)
{
    const char *text = text_of(object, "message");

    run_events_add(task->events, json_pack("{s:s, s:o}", "message_type", "warning", "message",
                                           run_event_text(text ? text : "")));
}

static void keep_failure(Task *task, const json_t *object)
{
    g_free(task->why);
    task->why = g_strdup(text_of(object, "message"));
}

/* Of an import, in the words of a run that made a backup. */
static void tell_snapshot(Task *task, const json_t *summary)
{
    if (text_of(summary, "snapshot_id"))
        run_events_add(task->events,
                       json_pack("{s:s, s:O?, s:O?, s:O, s:I, s:I, s:I, s:I, s:s}", "message_type",
                                 "snapshot", "source", json_object_get(summary, "source"), "kind",
                                 json_object_get(summary, "kind"), "snapshot_id",
                                 json_object_get(summary, "snapshot_id"), "bytes",
                                 (json_int_t)number_of(summary, "total_bytes_processed"), "files",
                                 (json_int_t)number_of(summary, "total_files_processed"), "added",
                                 (json_int_t)number_of(summary, "data_added"), "stored",
                                 (json_int_t)number_of(summary, "data_added_packed"), "state",
                                 run_state_name(RUN_SUCCEEDED)));
}

/* What was done: not the end of it, for another step may follow. */
static void tell_result(Task *task, const json_t *object)
{
    json_t *event = json_pack("{s:s}", "message_type", "result");
    json_t *result = json_deep_copy(object);
    const char *type = text_of(object, "message_type");

    if (strcmp(type, "summary") == 0 && strcmp(task->spec->kind, "import") == 0)
        tell_snapshot(task, object);
    if (strcmp(type, "summary") == 0) {
        task->bytes =
            MAX(number_of(object, "total_bytes_processed"), number_of(object, "total_bytes"));
        task->files =
            MAX(number_of(object, "total_files_processed"), number_of(object, "total_files"));
        task->added = number_of(object, "data_added");
        task->stored = number_of(object, "data_added_packed");
    }
    json_object_set_new(event, "of", json_string(type));
    json_object_del(result, "message_type");
    json_object_set_new(event, "result", result);
    run_events_add(task->events, event);
}

static void pass_over(Task *task, const json_t *object)
{
    (void)task;
    (void)object;
}

static void tell_object(Task *task, const json_t *object)
{
    static const struct {
        const char *type;
        void (*take)(Task *task, const json_t *object);
    } types[] = {
        { "status", tell_status },       { "error", tell },    { "warning", tell },
        { "note", tell_note },           { "snapshot", tell }, { "exit_error", keep_failure },
        { "verbose_status", pass_over },
    };
    const char *type = text_of(object, "message_type"), *said = text_of(object, "msg");

    for (size_t i = 0; type && i < G_N_ELEMENTS(types); i++) {
        if (strcmp(type, types[i].type) == 0) {
            types[i].take(task, object);
            return;
        }
    }
    if (type) {
        tell_result(task, object);
    } else if (said) { // base/log.h
        const char *level = text_of(object, "level"), *error = text_of(object, "error");
        g_autofree char *text = error ? g_strdup_printf("%s: %s", said, error) : g_strdup(said);

        run_events_add(task->events, run_event_log(level ? level : "info", text));
    }
}

static void tell_line(Task *task, const char *line, size_t len)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    g_autofree char *text = NULL;

    if (json_is_object(object)) {
        tell_object(task, object);
    } else if (!object && len > 0) {
        text = g_strndup(line, MIN(len, TEXT_MAX_));
        run_events_add(task->events, run_event_log("info", text));
    }
    json_decref(object);
}

/* Whole lines; one that is too long is told of, not told. */
static void tell_lines(Task *task, GString *lines, bool last)
{
    const char *end;

    while ((end = memchr(lines->str, '\n', lines->len))) {
        const size_t len = (size_t)(end - lines->str);

        tell_line(task, lines->str, len);
        g_string_erase(lines, 0, (gssize)len + 1);
    }
    if (last && lines->len > 0)
        tell_line(task, lines->str, lines->len);
    if (lines->len > LINE_MAX_) {
        run_events_add(task->events, run_event_log("warn", "a line was too long to be told"));
        g_string_truncate(lines, 0);
    }
}

/* True: to its end. False: it was told to end, and has not. */
static bool follow(Task *task, Child *child)
{
    const int fd = child_stdout(child);
    g_autoptr(GString) lines = g_string_new(NULL);
    char data[65536];
    bool told_to_end = false;

    for (;;) {
        struct pollfd waits = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (cancel_is_set(task->cancel) && !told_to_end) {
            told_to_end = true;
            child_terminate(child);
        }
        if (told_to_end && cancel_age_ms(task->cancel) > END_MS)
            return false;
        if (poll(&waits, 1, LOOK_MS) <= 0)
            continue;
        n = read(fd, data, sizeof data);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            break;
        g_string_append_len(lines, data, n);
        tell_lines(task, lines, false);
    }
    tell_lines(task, lines, true);
    return true;
}

/* ---- steps ---- */

static char **argv_of(const Task *task, const TaskStep *step)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    g_strv_builder_add(words, task->program);
    g_strv_builder_add(words, "--json");
    g_strv_builder_addv(words, (const char **)step->argv);
    return g_strv_builder_end(words);
}

static void set_failure(const Task *task, int status, const GError *failure, GError **error)
{
    const bool cancelled = status == 130 || cancel_is_set(task->cancel);
    // a status of a signal is none that we have
    const int ours = cancelled ? 130 : status > 128 ? 1 : status;

    g_set_error(error, BS_ERROR, cancelled ? BS_ERROR_CANCELLED : BS_ERROR_FAILED, "%s",
                task->why   ? task->why
                : cancelled ? "interrupted"
                            : failure->message);
    if (error)
        bs_error_set_exit_status(*error, ours);
}

static bool run_step(Task *task, const TaskStep *step, GError **error)
{
    g_auto(GStrv) argv = argv_of(task, step);
    g_autoptr(GError) failure = NULL;
    g_autoptr(Child) child = NULL;
    g_auto(GStrv) said = NULL;
    int status = 1;
    bool ok;

    run_events_add(task->events,
                   json_pack("{s:s, s:s}", "message_type", "stage", "stage", step->stage));
    g_clear_pointer(&task->why, g_free);
    child = child_spawn((const char *const *)argv, NULL, CHILD_STDOUT_PIPE, error);
    if (!child)
        return false;
    // one that does not end is killed when it is freed
    ok = follow(task, child) ? child_wait(child, NULL, &status, &failure)
                             : cancel_check(task->cancel, &failure);
    // what it said on standard error: its log, and why it failed
    said = g_strsplit(child_stderr(child), "\n", -1);
    for (char **line = said; *line; line++)
        tell_line(task, *line, strlen(*line));
    if (!ok)
        set_failure(task, status, failure, error);
    return ok;
}

static bool run_steps(Task *task, GError **error)
{
    for (guint i = 0; i < task->spec->steps->len; i++)
        if (!cancel_check(task->cancel, error) ||
            !run_step(task, g_ptr_array_index(task->spec->steps, i), error))
            return false;
    return true;
}

/* ---- from the beginning to the end ---- */

static RunState state_of(const Task *task, const GError *failure)
{
    switch (bs_error_exit_status(failure)) {
    case 0:
        return RUN_SUCCEEDED;
    case 3:
        return RUN_PARTIAL;
    case 75:
        return RUN_SKIPPED;
    default:
        return cancel_is_set(task->cancel) ? RUN_CANCELLED : RUN_FAILED;
    }
}

static bool end(Task *task, const GError *failure, GError **error)
{
    json_t *event =
        json_pack("{s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:I}", "message_type", "run_end", "state",
                  run_state_name(state_of(task, failure)), "code", bs_error_exit_status(failure),
                  "error", failure ? run_event_text(failure->message) : json_null(), "bytes",
                  (json_int_t)task->bytes, "files", (json_int_t)task->files, "added",
                  (json_int_t)task->added, "stored", (json_int_t)task->stored);

    return run_events_end(task->events, event, error);
}

bool op_task(const TaskSpec *spec, const char *program, const char *events, const Cancel *cancel,
             GError **error)
{
    g_autoptr(RunEvents) open = run_events_open(events, 0, NULL, NULL, error);
    Task task = { .spec = spec, .program = program, .events = open, .cancel = cancel };
    g_autoptr(GError) failure = NULL;
    bool ok;

    if (!open)
        return false;
    run_events_add(open, json_pack("{s:s, s:s, s:s, s:i, s:I}", "message_type", "run_begin", "run",
                                   spec->id, "kind", spec->kind, "pid", (int)getpid(), "start_time",
                                   (json_int_t)run_event_start_time()));
    ok = run_steps(&task, &failure);
    if (!end(&task, failure, ok ? error : NULL))
        ok = false;
    g_free(task.why);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok;
}
