/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runshow.h"

#include "base/plural.h"
#include "cmd/output.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

/* ---- events ---- */

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text ? text : "";
}

static char *size_of(const json_t *event, const char *key)
{
    return size_format((uint64_t)json_integer_value(json_object_get(event, key)));
}

static void show_snapshot(const json_t *event)
{
    g_autofree char *bytes = size_of(event, "bytes"), *stored = size_of(event, "stored");
    const char *id = text_of(event, "snapshot_id");
    const char *instant = text_of(json_object_get(event, "group"), "instant");

    if (json_is_string(json_object_get(event, "error")))
        (void)fprintf(stderr, "%s: %s: %s\n", text_of(event, "source"), text_of(event, "state"),
                      text_of(event, "error"));
    else
        printf("%s: %s, %s, %s stored, %s%.8s%s%s\n", text_of(event, "source"),
               text_of(event, "state"), bytes, stored, *id ? "snapshot " : "unchanged", id,
               *instant ? ", as of " : "", instant);
}

static void show_problem(const json_t *event)
{
    (void)fprintf(stderr, "%s: %s\n", text_of(event, "item"),
                  text_of(json_object_get(event, "error"), "message"));
}

static void show_message(const json_t *event)
{
    const char *level = text_of(event, "level");

    (void)fprintf(stderr, "%s%s%s\n", level,
                  *level ? ": " : "warning: ", text_of(event, "message"));
}

static void show_group(const json_t *event)
{
    const json_t *spread = json_object_get(event, "spread_ms"),
                 *pause = json_object_get(event, "pause_ms");

    if (json_is_integer(spread))
        printf("group: as of one moment, within %lld ms", (long long)json_integer_value(spread));
    else
        printf("group: no source holds a moment");
    if (json_is_integer(pause))
        printf("; paused for %lld ms", (long long)json_integer_value(pause));
    printf("\n");
}

static void show_end(const json_t *event)
{
    unsigned removed = (unsigned)json_integer_value(json_object_get(event, "removed"));

    if (removed > 0)
        printf("retention: %u %s removed\n", removed, plural(removed, "snapshot", "snapshots"));
    printf("run %s\n", text_of(event, "state"));
}

static bool is(const json_t *event, const char *type)
{
    return strcmp(text_of(event, "message_type"), type) == 0;
}

void run_show_event(const Settings *settings, const json_t *event)
{
    if (settings->json)
        output_json(json_deep_copy(event));
    else if (is(event, "error"))
        show_problem(event);
    else if (is(event, "warning") || is(event, "log"))
        show_message(event);
    else if (settings->quiet)
        return;
    else if (is(event, "snapshot"))
        show_snapshot(event);
    else if (is(event, "group"))
        show_group(event);
    else if (is(event, "run_end"))
        show_end(event);
    else if (is(event, "stage") && settings->verbose > 0)
        printf("%s %s\n", text_of(event, "stage"), text_of(event, "source"));
}

/* ---- retention ---- */

static const char *tag_of(const Snapshot *snapshot, const char *key)
{
    const char *value = snapshot_tag_value(snapshot, key);

    return value ? value : "";
}

static json_t *json_decision(const char *schedule, const ForgetDecision *decision)
{
    const Snapshot *snapshot = decision->snapshot;
    json_t *reasons = json_array();

    for (guint i = 0; i < decision->reasons->len; i++)
        json_array_append_new(reasons, json_bytes(decision->reasons->pdata[i]));
    if (!decision->keep)
        json_array_append_new(reasons, json_string("no rule keeps it"));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:s, s:o, s:b, s:o}", "message_type", "retention", "schedule",
        json_bytes(schedule), "source", json_bytes(tag_of(snapshot, "source")), "run",
        json_bytes(tag_of(snapshot, "run")), "snapshot_id", id_hex(&snapshot->id).text,
        "snapshot_time", json_time(snapshot->time), "keep", decision->keep, "reasons", reasons);
}

static void print_decision(const ForgetDecision *decision)
{
    g_autofree char *time = output_time(decision->snapshot->time);
    g_autofree char *why = NULL;

    g_ptr_array_add(decision->reasons, NULL);
    why = g_strjoinv(", ", (char **)decision->reasons->pdata);
    g_ptr_array_remove_index(decision->reasons, decision->reasons->len - 1);
    printf("%-6s  %s  %s  %-20s  %s\n", decision->keep ? "keep" : "remove",
           id_short(&decision->snapshot->id).text, time, tag_of(decision->snapshot, "source"),
           decision->keep ? why : "no rule keeps it");
}

void run_show_plan(const Settings *settings, const char *schedule, const ForgetPlan *plan)
{
    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = 0; k < decisions->len; k++) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);

            if (settings->json)
                output_json(json_decision(schedule, decision));
            else
                print_decision(decision);
        }
    }
    if (!settings->json && !settings->quiet)
        printf("%u %s would be removed\n", plan->n_remove,
               plural(plan->n_remove, "snapshot", "snapshots"));
}
