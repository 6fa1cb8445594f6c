/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notice.h"

#include "base/plural.h"
#include "codec/rfc3339.h"

#include <string.h>

#define LINES_MAX 100 /* of a report, and of a group */
#define FIRST_MAX 200 /* characters of what a member of a group says */

static char *bytes_text(uint64_t bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}

static char *seconds_text(int64_t seconds)
{
    if (seconds < 120)
        return g_strdup_printf("%" G_GINT64_FORMAT " s", seconds);
    if (seconds < 2 * 3600)
        return g_strdup_printf("%" G_GINT64_FORMAT " min", seconds / 60);
    if (seconds < 48 * 3600)
        return g_strdup_printf("%" G_GINT64_FORMAT " h", seconds / 3600);
    return g_strdup_printf("%" G_GINT64_FORMAT " days", seconds / 86400);
}

static void set_schedule(json_t *event, const char *base_url, const Schedule *schedule)
{
    json_t *recipients = json_array();

    event_set(event, "schedule", schedule->name);
    event_set(event, "asset", schedule->name);
    event_set(event, "repository", schedule->repository);
    for (char **to = schedule->recipients; to && *to; to++)
        json_array_append_new(recipients, json_string(*to));
    if (json_array_size(recipients) > 0)
        json_object_set(event, "recipients", recipients);
    json_decref(recipients);
    event_set(event, "url", base_url);
}

static void add_time(json_t *event, const char *name, int64_t at_ms)
{
    char text[RFC3339_MAX];

    if (at_ms == 0)
        return;
    (void)rfc3339_format((Timestamp){ .sec = at_ms / 1000 }, text);
    event_add_fact(event, name, "%s", text);
}

static void add_run(json_t *event, const RunRow *run)
{
    g_autofree char *size = bytes_text(run->source_bytes), *added = bytes_text(run->stored_bytes);
    int64_t seconds = run->started_at > 0 ? MAX(run->ended_at - run->started_at, 0) / 1000 : 0;
    g_autofree char *took = seconds_text(seconds);

    event_set(event, "run", run->id);
    json_object_set_new(event, "seconds", json_integer(seconds));
    add_time(event, "started", run->started_at);
    if (run_state_ended(run->state)) {
        event_add_fact(event, "state", "%s", run_state_name(run->state));
        event_add_fact(event, "duration", "%s", took);
        event_add_fact(event, "size", "%s, %s stored", size, added);
    }
    event_add_fact(event, "run", "%s", run->id);
}

/* What stopped it, and then each source that says something of its own. */
static char *text_of_run(const RunRow *run)
{
    GString *out = g_string_new(run->error ? run->error : "");
    const json_t *snapshot;
    size_t i;

    json_array_foreach(json_object_get(run->detail, "snapshots"), i, snapshot)
    {
        const char *source = event_text(snapshot, "source"), *error = event_text(snapshot, "error");
        g_autofree char *line = g_strdup_printf("%s: %s", source, error);

        // of a single source that failed the run has said it
        if (*error && g_strcmp0(line, run->error) != 0)
            g_string_append_printf(out, "%s%s", out->len > 0 ? "\n" : "", line);
    }
    json_array_foreach(json_object_get(run->detail, "warnings"), i, snapshot)
    {
        const char *message = event_text(snapshot, "message");

        if (*message)
            g_string_append_printf(out, "%s%s", out->len > 0 ? "\n" : "", message);
    }
    return g_string_free(out, FALSE);
}

/* For pings: 0 is a success, and what ended without a status has none. */
static int status_of(const RunRow *run)
{
    if (run->state == RUN_SUCCEEDED || run->state == RUN_SKIPPED || run->state == RUN_RUNNING)
        return 0;
    return run->exit_code > 0 && run->exit_code < 256 ? run->exit_code : -1;
}

json_t *notice_of_run(EventKind kind, const char *instance, const char *base_url,
                      const Schedule *schedule, const RunRow *run, int64_t now)
{
    json_t *event = event_new(kind, instance, now);
    g_autofree char *text = text_of_run(run);
    g_autofree char *title = NULL;

    title = g_strdup_printf("%s of %s %s", run->kind, schedule->name,
                            kind == EVENT_STARTED ? "has begun" : run_state_name(run->state));
    set_schedule(event, base_url, schedule);
    event_set(event, "severity", "info");
    event_set(event, "title", title);
    event_set(event, "text", text);
    json_object_set_new(event, "exit_code", json_integer(status_of(run)));
    add_run(event, run);
    return event;
}

/* ---- incidents ---- */

char *notice_title(const char *name, Condition condition)
{
    return g_strdup_printf("%s %s", name, condition_words(condition));
}

static char *title_of(EventKind kind, const IncidentRow *incident)
{
    const char *summary = incident->summary ? incident->summary : incident->condition;

    if (kind == EVENT_RESOLVED)
        return g_strdup_printf("resolved: %s", summary);
    return g_strdup_printf("%s%s", kind == EVENT_REMINDED ? "still: " : "", summary);
}

json_t *notice_of_incident(EventKind kind, const char *instance, const char *base_url,
                           const Schedule *schedule, const IncidentRow *incident, int64_t now)
{
    json_t *event = event_new(kind, instance, now);
    g_autofree char *title = title_of(kind, incident);
    int64_t until_ms = incident->resolved_at != 0 ? incident->resolved_at : now * 1000;
    g_autofree char *lasts = seconds_text(MAX(until_ms - incident->opened_at, 0) / 1000);

    if (schedule)
        set_schedule(event, base_url, schedule);
    else
        event_set(event, "asset", incident->schedule);
    event_set(event, kind == EVENT_OPENED ? "id" : "thread", incident->id);
    event_set(event, "condition", incident->condition);
    event_set(event, "severity", incident->severity);
    event_set(event, "run", incident->run);
    event_set(event, "title", title);
    event_set(event, "text", event_text(incident->detail, "text"));
    add_time(event, "since", incident->opened_at);
    if (kind != EVENT_OPENED)
        event_add_fact(event, kind == EVENT_RESOLVED ? "lasted" : "lasts", "%s", lasts);
    if (incident->n > 1)
        event_add_fact(event, "happened", "%" G_GUINT64_FORMAT " times", incident->n);
    return event;
}

/* ---- reports ---- */

static void add_incidents(GString *out, const GArray *incidents)
{
    for (guint i = 0; i < incidents->len && i < LINES_MAX; i++) {
        const IncidentRow *row = &g_array_index(incidents, IncidentRow, i);

        g_string_append_printf(out, "open: %s\n", row->summary ? row->summary : row->condition);
    }
}

static void add_failures(GString *out, const GArray *runs)
{
    unsigned lines = 0;

    for (guint i = 0; i < runs->len && lines < LINES_MAX; i++) {
        const RunRow *run = &g_array_index(runs, RunRow, i);

        if (run->state != RUN_FAILED && run->state != RUN_PARTIAL)
            continue;
        lines++;
        g_string_append_printf(out, "%s of %s %s%s%s\n", run->kind,
                               run->schedule_name ? run->schedule_name : "no schedule",
                               run_state_name(run->state), run->error ? ": " : "",
                               run->error ? run->error : "");
    }
}

json_t *notice_report(const char *instance, const char *period, const GArray *runs,
                      const GArray *incidents, int64_t now)
{
    json_t *event = event_new(EVENT_REPORT, instance, now);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *title = NULL, *stored_text = NULL;
    unsigned n[RUN_STATES] = { 0 };
    uint64_t stored = 0;

    for (guint i = 0; i < runs->len; i++) {
        const RunRow *run = &g_array_index(runs, RunRow, i);

        n[run->state]++;
        stored += run->stored_bytes;
    }
    stored_text = bytes_text(stored);
    title =
        g_strdup_printf("%s of %s: %u succeeded, %u failed, %u incomplete, %u open", period,
                        instance, n[RUN_SUCCEEDED], n[RUN_FAILED], n[RUN_PARTIAL], incidents->len);
    add_incidents(text, incidents);
    add_failures(text, runs);
    if (text->len == 0)
        g_string_append(text, runs->len > 0 ? "Nothing is wrong.\n" : "Nothing has run.\n");
    event_set(event, "severity", incidents->len > 0 ? "warning" : "info");
    event_set(event, "title", title);
    event_set(event, "text", text->str);
    event_add_fact(event, "stored", "%s", stored_text);
    event_add_fact(event, "skipped", "%u", n[RUN_SKIPPED]);
    return event;
}

/* ---- many at once ---- */

static unsigned rank(const char *severity)
{
    static const char *const ranks[] = { "info", "warning", "error", "critical" };

    for (unsigned i = 0; i < G_N_ELEMENTS(ranks); i++)
        if (strcmp(severity, ranks[i]) == 0)
            return i;
    return 0;
}

/* "95 problems, 2 resolved on node1" */
static char *title_of_group(const GPtrArray *events)
{
    static const struct {
        EventKind kind;
        const char *one, *many;
    } words[] = {
        { EVENT_OPENED, "problem", "problems" },
        { EVENT_REMINDED, "goes on", "go on" },
        { EVENT_RESOLVED, "resolved", "resolved" },
        { EVENT_SUCCEEDED, "succeeded", "succeeded" },
    };
    GString *title = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        unsigned n = 0;

        for (guint k = 0; k < events->len; k++)
            n += event_kind(g_ptr_array_index(events, k)) == words[i].kind;
        if (n > 0)
            g_string_append_printf(title, "%s%u %s", title->len > 0 ? ", " : "", n,
                                   plural(n, words[i].one, words[i].many));
    }
    g_string_append_printf(title, " on %s", event_text(g_ptr_array_index(events, 0), "instance"));
    return g_string_free(title, FALSE);
}

static void add_title(GString *text, const json_t *event)
{
    g_auto(GStrv) lines = g_strsplit(event_text(event, "text"), "\n", 2);
    g_autofree char *first = event_cut(lines[0] ? lines[0] : "", FIRST_MAX);

    g_string_append_printf(text, "%s%s%s\n", event_text(event, "title"), *first ? ": " : "", first);
}

json_t *notice_group(const GPtrArray *events, int64_t now)
{
    const json_t *first = g_ptr_array_index(events, 0);
    json_t *event = event_new(EVENT_GROUP, event_text(first, "instance"), now);
    g_autofree char *title = title_of_group(events);
    g_autoptr(GString) text = g_string_new(NULL);
    const char *worst = "info";

    for (guint i = 0; i < events->len; i++) {
        const json_t *one = g_ptr_array_index(events, i);

        if (i < LINES_MAX)
            add_title(text, one);
        if (event_kind(one) != EVENT_RESOLVED && rank(event_text(one, "severity")) > rank(worst))
            worst = event_text(one, "severity");
    }
    if (events->len > LINES_MAX)
        g_string_append_printf(text, "and %u more\n", events->len - LINES_MAX);
    event_set(event, "severity", worst);
    event_set(event, "title", title);
    event_set(event, "text", text->str);
    if (*event_text(first, "url"))
        event_set(event, "url", event_text(first, "url"));
    if (json_object_get(first, "recipients"))
        json_object_set(event, "recipients", json_object_get(first, "recipients"));
    return event;
}
