/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sources of a run as of one moment (op/running.h): all are opened right after one another, so
 * that each holds what it was then, and read afterwards. All or none: when one cannot be opened, no
 * other is saved, for it would have no moment in common with it. One that fails later cannot be
 * opened again at that moment, so it is not tried again. Who writes may be paused while they are
 * opened (op/runpause.h), and is resumed before anything is read.
 */
#include "base/clock.h"
#include "base/error.h"
#include "op/grouptags.h"
#include "op/running.h"
#include "op/runpause.h"
#include <string.h>

typedef struct {
    const SourceConfig *config;
    RunSource made;
    SourceHold hold;
    int64_t from_ms, until_ms; /* between them it was opened */
} Member;

typedef struct {
    Run *run;
    GPtrArray *members;   /* of Member */
    VolumeGroup *volumes; /* that are members, of this try */
    int64_t wall_ms, monotonic_ms;
    int64_t spread_ms;      /* -1: none holds a moment */
    int64_t pause_ms;       /* -1: nothing was paused */
    RunPause *pause;        /* NULL: none, or it is over */
    const SourceConfig *at; /* that is being opened; NULL: none */
} Group;

static void member_free(void *item)
{
    Member *member = item;

    run_source_clear(&member->made);
    g_free(member);
}

/* Unix, ms; one clock for all, which nobody sets meanwhile. */
static int64_t unix_ms(const Group *group, int64_t monotonic_ms)
{
    return group->wall_ms + monotonic_ms - group->monotonic_ms;
}

/* ---- opening ---- */

/* What takes long, and may fail as well before anybody is asked to pause. */
static bool prepare_member(Group *group, const SourceConfig *config, GError **error)
{
    Member *member = g_new0(Member, 1);
    Source *source;

    g_ptr_array_add(group->members, member);
    group->at = member->config = config;
    if (!run_make_source(group->run, config, group->volumes, &member->made, error))
        return false;
    source = member->made.source;
    return !source->ops->prepare ||
           source->ops->prepare(source, run_control_cancel(group->run->control), error);
}

static bool open_member(Group *group, Member *member, GError **error)
{
    Source *source = member->made.source;
    int64_t from_ms, until_ms;

    group->at = NULL;
    if (group->pause && !run_pause_holds(group->pause, error))
        return false;
    group->at = member->config;
    run_stage(group->run, "open", member->config->name);
    if (!run_control_check(group->run->control, error))
        return false;
    from_ms = clock_monotonic_ms();
    if (source->ops->open &&
        !source->ops->open(source, run_control_cancel(group->run->control), &member->hold, error))
        return false;
    until_ms = source->held_until_ms ? source->held_until_ms : clock_monotonic_ms();
    member->from_ms = unix_ms(group, source->held_from_ms ? source->held_from_ms : from_ms);
    member->until_ms = unix_ms(group, until_ms) + 1; // whole ms were begun
    return true;
}

static bool open_members(Group *group, GError **error)
{
    group->wall_ms = clock_now_ms();
    group->monotonic_ms = clock_monotonic_ms();
    for (guint i = 0; i < group->members->len; i++)
        if (!open_member(group, group->members->pdata[i], error))
            return false;
    group->at = NULL;
    return true;
}

/* ---- the pause ---- */

static bool pause_begin(Group *group, GError **error)
{
    Run *run = group->run;
    const Schedule *schedule = run->request->schedule;
    RunPauseRequest request = { schedule->pause, schedule->resume, schedule->pause_limit_ms,
                                run_hook_for(run, RUN_LAST_HOOK_MS,
                                             run_control_cancel(run->control)) };

    group->at = NULL; // whatever breaks is nobody's alone
    if (!schedule->pause || !*schedule->pause)
        return true;
    run_stage(run, "pause", NULL);
    if (run_pause_begin(&request, &group->pause, error))
        return true;
    run_log(run, "error", "%s", (*error)->message);
    return false;
}

/* opened: else *error is set already, and gives way to an application that may still be paused. */
static bool pause_end(Group *group, bool opened, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (!group->pause)
        return opened;
    run_stage(group->run, "resume", NULL);
    if (!run_pause_end(group->pause, &group->pause_ms, &failure)) {
        run_log(group->run, "error", "%s", failure->message);
        if (!opened && strcmp((*error)->message, failure->message) != 0)
            run_log(group->run, "error", "%s%s%s", group->at ? group->at->name : "",
                    group->at ? ": " : "", (*error)->message);
        g_clear_error(error);
        g_propagate_error(error, g_steal_pointer(&failure));
        group->at = NULL;
        opened = false;
    }
    group->run->pause_ms = group->pause_ms; // also when nothing is saved
    g_clear_pointer(&group->pause, run_pause_free);
    return opened;
}

/* ---- all of them ---- */

static bool open_once(Group *group, GError **error)
{
    const GPtrArray *sources = group->run->request->sources;

    g_ptr_array_set_size(group->members, 0);
    volume_group_unref(group->volumes);
    group->volumes = volume_group_new();
    for (guint i = 0; i < sources->len; i++)
        if (!prepare_member(group, sources->pdata[i], error))
            return false;
    return pause_begin(group, error) && pause_end(group, open_members(group, error), error);
}

static bool open_all(Group *group, GError **error)
{
    g_autoptr(GError) failure = NULL;

    for (int n = 1; !open_once(group, &failure); n++) {
        if (!run_wait_for_next(group->run, group->at ? group->at->name : "the group", n, failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        g_clear_error(&failure);
    }
    return true;
}

/* ---- what of the moment is known ---- */

static void measure(Group *group)
{
    int64_t first = INT64_MAX, last = -1;

    for (guint i = 0; i < group->members->len; i++) {
        const Member *member = group->members->pdata[i];

        if (member->hold != SOURCE_MOMENT)
            continue;
        first = MIN(first, member->from_ms);
        last = MAX(last, member->until_ms);
    }
    group->spread_ms = last >= 0 ? last - first : -1;
}

/* {"instant", "within_ms"}: at the latest then, and so much before at the earliest; {"since"}: it
 * changed from then on until it was read. */
static json_t *describe_member(const Member *member)
{
    g_autofree char *from = group_time(member->from_ms), *until = group_time(member->until_ms);
    const char *kind = member->made.source->ops->kind;

    if (member->hold != SOURCE_MOMENT)
        return json_pack("{s:o, s:s, s:s, s:s}", "source", run_event_text(member->config->name),
                         "kind", kind, "held", "interval", "since", from);
    return json_pack("{s:o, s:s, s:s, s:s, s:I}", "source", run_event_text(member->config->name),
                     "kind", kind, "held", "moment", "instant", until, "within_ms",
                     (json_int_t)(member->until_ms - member->from_ms));
}

static json_t *describe(const Group *group)
{
    json_t *sources = json_array(), *facts;

    for (guint i = 0; i < group->members->len; i++)
        json_array_append_new(sources, describe_member(group->members->pdata[i]));
    facts =
        json_pack("{s:o, s:o}", "spread_ms",
                  group->spread_ms < 0 ? json_null() : json_integer((json_int_t)group->spread_ms),
                  "sources", sources);
    if (group->pause_ms >= 0)
        json_object_set_new(facts, "pause_ms", json_integer((json_int_t)group->pause_ms));
    return facts;
}

static void tell_moment(const Group *group)
{
    Run *run = group->run;
    json_auto_t *facts = describe(group);
    json_t *event = json_pack("{s:s}", "message_type", "group");

    json_object_update(event, facts);
    run_events_add(run->events, event);
    run->spread_ms = group->spread_ms;
    json_object_set_new(facts, "run", json_string(run->request->id));
    json_object_set_new(facts, "schedule", run_event_text(run->request->schedule->name));
    for (guint i = 0; i < group->members->len; i++) {
        Member *member = group->members->pdata[i];
        json_t *own = json_copy(facts),
               *said = json_array_get(json_object_get(facts, "sources"), i);

        json_object_update(own, said); // held, instant: its own beside those of all
        json_object_del(own, "source");
        json_object_del(own, "kind");
        member->made.source->group = own;
        // tags, so that a list of snapshots shows it, and those of files have it, too
        group_tags_add(member->made.source->tags,
                       &(GroupTags){ .is_moment = member->hold == SOURCE_MOMENT,
                                     .instant = member->until_ms,
                                     .spread_ms = group->spread_ms });
    }
}

static bool check_spread(const Group *group, GError **error)
{
    const Schedule *schedule = group->run->request->schedule;
    g_autofree char *text = NULL;

    if (schedule->max_spread_ms == 0 ||
        (group->spread_ms >= 0 && group->spread_ms <= schedule->max_spread_ms))
        return true;
    if (group->spread_ms < 0)
        text = g_strdup("no source holds a moment, so none can be within max_spread of another");
    else
        text = g_strdup_printf("the moments of the sources lie %" G_GINT64_FORMAT
                               " ms apart, which is more than max_spread (%" G_GINT64_FORMAT " ms)",
                               group->spread_ms, schedule->max_spread_ms);
    if (!schedule->max_spread_fails) {
        run_warn_text(group->run, "group", text);
        return true;
    }
    g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED, text);
    return false;
}

/* ---- the group ---- */

/* The one that it was because of says why; the others that they were not read. */
static void fail_all(const Group *group, int64_t started_ms, const GError *why)
{
    const GPtrArray *sources = group->run->request->sources;

    if (group->at)
        run_fail_source(group->run, group->at, started_ms, g_error_copy(why));
    for (guint i = 0; i < sources->len; i++) {
        const SourceConfig *config = sources->pdata[i];
        GError *failure = g_error_copy(why);

        if (config == group->at) {
            g_error_free(failure);
            continue;
        }
        if (group->at)
            g_prefix_error(&failure,
                           "not saved, for %s of the same group failed: ", group->at->name);
        run_fail_source(group->run, config, started_ms, failure);
    }
}

static void read_all(const Group *group)
{
    Run *run = group->run;

    for (guint i = 0; i < group->members->len && run_control_check(run->control, NULL); i++) {
        Member *member = group->members->pdata[i];
        int64_t started_ms = clock_monotonic_ms();
        GError *failure = NULL;

        if (!run_read_source(run, member->config, &member->made, &failure)) {
            run_fail_source(run, member->config, started_ms, failure);
            run_close(run);
        }
        run_source_clear(&member->made); // a server holds much for it
    }
}

void run_group(Run *run)
{
    int64_t started_ms = clock_monotonic_ms();
    Group group = { .run = run,
                    .members = g_ptr_array_new_with_free_func(member_free),
                    .pause_ms = -1 };
    g_autoptr(GError) failure = NULL;

    if (open_all(&group, &failure)) {
        measure(&group);
        tell_moment(&group);
        (void)check_spread(&group, &failure);
    }
    if (failure)
        fail_all(&group, started_ms, failure);
    else
        read_all(&group);
    g_ptr_array_unref(group.members);
    volume_group_unref(group.volumes);
}
