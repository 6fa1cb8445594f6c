/* SPDX-License-Identifier: Apache-2.0 */
#include "op/run.h"

#include "base/error.h"
#include "cmd/backupsource.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/runshow.h"
#include "cmd/runspec.h"
#include "op/runplace.h"

typedef struct {
    char *spec, *events;
    gboolean retention_only, preview_retention;
} RunOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(RunOptions, member))

static const GOptionEntry run_options[] = {
    { "retention-only", 0, 0, ARG_FLAG, AT(retention_only),
      "back up nothing, only remove what the schedule does not keep", NULL },
    { "preview-retention", 0, 0, ARG_FLAG, AT(preview_retention),
      "only say of each backup why it would stay or go", NULL },
    { "spec", 0, G_OPTION_FLAG_HIDDEN, ARG_TEXT, AT(spec), "what to do, from the daemon", "FILE" },
    { "events", 0, G_OPTION_FLAG_HIDDEN, ARG_TEXT, AT(events), "where to tell it", "FILE" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

typedef struct {
    const Settings *settings;
    ProgressLine *line;
} Shown;

static void show(const json_t *event, void *user)
{
    run_show_event(((Shown *)user)->settings, event);
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
                     GError **error)
{
    Shown shown = { .settings = context->settings };
    g_auto(GStrv) hidden = run_place_hidden(spec->repository, spec->sources);
    Settings settings = { 0 };
    RunRequest request = {
        .id = spec->id,
        .trigger = spec->trigger,
        .schedule = spec->schedule,
        .sources = spec->sources,
        .settings = &settings,
        .history = spec->history,
        .events = options->events,
        .unattended = options->spec != NULL,
        .hidden = hidden,
        .make = backup_make_source,
        .tell = show,
        .reading = show_reading,
        .user = &shown,
    };
    bool ok = run_place_settings(spec->repository, context->settings, &settings, error) &&
              run_as_asked(context, options, &request, error);

    settings_clear(&settings);
    return ok;
}

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

static bool run_run(const Context *context, void *request, char **operands, GError **error)
{
    const RunOptions *options = request;
    g_auto(RunSpec) spec = { 0 };

    if (!check_options(options, operands, error))
        return false;
    if (!(options->spec ? run_spec_load(options->spec, &spec, error)
                        : run_spec_of_name(context->settings->config, operands[0], &spec, error)))
        return false;
    return run_with(context, options, &spec, error);
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
