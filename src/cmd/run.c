/* SPDX-License-Identifier: Apache-2.0 */
#include "op/run.h"

#include "base/error.h"
#include "cmd/backupsource.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/runaccepted.h"
#include "cmd/runshow.h"
#include "cmd/runspec.h"
#include "cmd/task.h"
#include "daemon/byhand.h"
#include "op/runplace.h"
#include "op/task.h"

typedef struct {
    char *spec, *events;
    gboolean retention_only, preview_retention, accepted;
} RunOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(RunOptions, member))

static const GOptionEntry run_options[] = {
    { "retention-only", 0, 0, ARG_FLAG, AT(retention_only),
      "back up nothing, only remove what the schedule does not keep", NULL },
    { "preview-retention", 0, 0, ARG_FLAG, AT(preview_retention),
      "only say of each backup why it would stay or go", NULL },
    { "spec", 0, G_OPTION_FLAG_HIDDEN, ARG_TEXT, AT(spec), "what to do, from the daemon", "FILE" },
    { "events", 0, G_OPTION_FLAG_HIDDEN, ARG_TEXT, AT(events), "where to tell it", "FILE" },
    { "accepted", 0, G_OPTION_FLAG_HIDDEN, ARG_FLAG, AT(accepted),
      "what the connection on standard input names, as a unit of systemd", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

typedef struct {
    const Settings *settings;
    ProgressLine *line;
    ByHand *by_hand; /* NULL: in no history, or not this process's to tell */
} Shown;

static void show(const json_t *event, void *user)
{
    Shown *shown = user;

    if (shown->by_hand)
        by_hand_tell(shown->by_hand, event);
    run_show_event(shown->settings, event);
}

static void show_reading(Progress *progress, void *user)
{
    Shown *shown = user;

    if (shown->settings->json)
        return;
    g_clear_pointer(&shown->line, progress_line_stop);
    if (progress)
        shown->line = progress_line_start(shown->settings, progress);
}

static bool run_as_asked(const Context *context, const RunOptions *options,
                         const RunRequest *request, GError **error)
{
    g_autoptr(ForgetPlan) plan = NULL;

    if (options->retention_only)
        return op_run_sweep(request, context->cancel, error);
    if (!options->preview_retention)
        return op_run(request, context->cancel, error);
    if (!op_run_preview(request, context->cancel, &plan, error))
        return false;
    run_show_plan(context->settings, request->schedule->name, plan);
    return true;
}

static bool run_with(const Context *context, const RunOptions *options, const RunSpec *spec,
                     ByHand *by_hand, GError **error)
{
    Shown shown = { .settings = context->settings, .by_hand = by_hand };
    g_auto(GStrv) hidden =
        run_place_hidden(spec->repository, spec->sources, spec->schedule->archives);
    Settings settings = { 0 };
    RunRequest request = {
        .id = by_hand ? by_hand_id(by_hand) : spec->id,
        .trigger = spec->trigger,
        .schedule = spec->schedule,
        .sources = spec->sources,
        .settings = &settings,
        .history = spec->history,
        .installation = spec->has_installation ? &spec->installation : NULL,
        .events = options->events,
        .unattended = options->spec != NULL,
        .hidden = hidden,
        .make = backup_make_source,
        .tell = show,
        .reading = show_reading,
        .user = &shown,
    };
    bool ok;

    ok = run_place_settings(spec->repository, context->settings, &settings, error);
    if (ok && by_hand && !options->events)
        request.events_open = by_hand_events(by_hand, &request.events);
    ok = ok && run_as_asked(context, options, &request, error);
    settings_clear(&settings);
    return ok;
}

/* ---- of what ---- */

static bool check_options(const RunOptions *options, char **operands, GError **error)
{
    if (options->retention_only && options->preview_retention)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--retention-only and --preview-retention exclude each other");
    else if (options->spec && *operands)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--spec names the schedule already");
    else
        return options->spec || operands_between(operands, 1, 1, "SCHEDULE", error);
    return false;
}

/* What the daemon wants. */
static bool run_handed(const Context *context, const RunOptions *options, GError **error)
{
    RunOptions all = *options;
    g_auto(RunSpec) spec = { 0 };

    if (task_spec_is(options->spec)) // a unit has no argument of its own
        return task_handed(context, options->spec, options->events, error);
    if (!run_spec_load(options->spec, &spec, error))
        return false;
    all.retention_only = all.retention_only || (spec.sweep && !all.preview_retention);
    return run_with(context, &all, &spec, NULL, error);
}

static bool run_accepted(const Context *context, const RunOptions *options, GError **error)
{
    g_autofree char *spec = NULL, *events = NULL;
    RunOptions all = *options;

    if (!run_accept(&spec, &events, error))
        return false;
    all.spec = spec;
    all.events = events;
    return run_handed(context, &all, error);
}

static bool run_by_hand(const Context *context, const RunOptions *options, const char *name,
                        GError **error)
{
    g_auto(RunSpec) spec = { 0 };
    g_autoptr(ByHand) by_hand = NULL;
    g_autoptr(GError) failure = NULL;
    ByHandRequest request = { .kind = options->retention_only ? "sweep" : "backup" };

    if (!run_spec_of_name(context->settings->config, name, &spec, error))
        return false;
    request.configuration = spec.configuration;
    request.schedule = spec.schedule;
    request.id = spec.id;
    if (!options->preview_retention && !by_hand_begin(&request, &by_hand, error))
        return false;
    if (run_with(context, options, &spec, by_hand, &failure))
        return true;
    if (by_hand)
        by_hand_fail(by_hand, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool run_run(const Context *context, void *request, char **operands, GError **error)
{
    const RunOptions *options = request;

    if (options->accepted)
        return run_accepted(context, options, error);
    if (!check_options(options, operands, error))
        return false;
    return options->spec ? run_handed(context, options, error)
                         : run_by_hand(context, options, operands[0], error);
}

const Command run_command = {
    .name = "run",
    .operands = "SCHEDULE",
    .summary = "run a schedule of the configuration now",
    .description =
        "Backs up the sources of the schedule in their order, each as a snapshot with the tags "
        "run=ID and schedule=NAME; its\n"
        "locks and hooks around them, its retention after success. A source that fails does not "
        "stop the others.\n\n"
        "Exit status 3: something failed or was left out; 11: another run of the schedule lives; "
        "75: a hook said to skip it.",
    .options = run_options,
    .request_size = sizeof(RunOptions),
    .run = run_run,
};
