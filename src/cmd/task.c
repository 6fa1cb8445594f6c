/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/task.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "op/task.h"
#include <errno.h>

typedef struct {
    char *spec, *events;
} TaskOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(TaskOptions, member))

static const GOptionEntry task_options[] = {
    { "spec", 0, 0, ARG_TEXT, AT(spec), "what to do, from the daemon", "FILE" },
    { "events", 0, 0, ARG_TEXT, AT(events), "where to tell it", "FILE" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

bool task_handed(const Context *context, const char *path, const char *events, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_auto(TaskSpec) spec = { 0 };

    if (!program) {
        bs_error_errno(error, errno, "finding out where this program lies");
        return false;
    }
    return task_spec_load(path, &spec, error) &&
           op_task(&spec, program, events, context->cancel, error);
}

static bool task_run(const Context *context, void *request, char **operands, GError **error)
{
    const TaskOptions *options = request;

    if (!operands_between(operands, 0, 0, "", error))
        return false;
    if (options->spec && options->events)
        return task_handed(context, options->spec, options->events, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--spec and --events are both needed");
    return false;
}

const Command task_command = {
    .name = "task",
    .operands = "",
    .summary = "what the daemon does besides runs of schedules",
    .options = task_options,
    .hidden = true,
    .request_size = sizeof(TaskOptions),
    .run = task_run,
};
