/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "daemon/scheduler.h"
#include "daemon/web.h"
#include <errno.h>
#include <unistd.h>

#define STOP_WAIT     60 /* s */
#define STOP_WAIT_MAX 86400

typedef struct {
    gint stop_wait;
    gboolean web;
} DaemonOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(DaemonOptions, member))

static const GOptionEntry daemon_options[] = {
    { "stop-wait", 0, 0, ARG_INT, AT(stop_wait),
      "how long runs may go on when it is stopped (default 60)", "SECONDS" },
    { "web", 0, G_OPTION_FLAG_HIDDEN, ARG_FLAG, AT(web), "serve HTTP; started by the daemon",
      NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
};

static void daemon_init(void *request)
{
    ((DaemonOptions *)request)->stop_wait = STOP_WAIT;
}

static bool daemon_run(const Context *context, void *request, char **operands, GError **error)
{
    const DaemonOptions *options = request;
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    const SchedulerOptions scheduler = { .config = context->settings->config,
                                         .program = program,
                                         .stop_wait = options->stop_wait };

    if (!operands_between(operands, 0, 0, "", error))
        return false;
    if (options->stop_wait < 0 || options->stop_wait > STOP_WAIT_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--stop-wait %d: must be from 0 to %d",
                    options->stop_wait, STOP_WAIT_MAX);
        return false;
    }
    if (!program) {
        bs_error_errno(error, errno, "finding out where this program lies");
        return false;
    }
    // what an operator wants to read the next morning
    if (!context->settings->quiet && log_level() > LOG_INFO)
        log_set_level(LOG_INFO);
    return options->web ? web_run(context->settings->config, program, context->cancel, error)
                        : scheduler_run(&scheduler, error);
}

const Command daemon_command = {
    .name = "daemon",
    .operands = "",
    .summary = "run what backstay.yaml schedules, when it is due",
    .description =
        "Starts each run as a process of its own that outlives the daemon, follows it, and keeps "
        "its history in the\n"
        "catalogue. SIGHUP reads the configuration again; one that is wrong is told, and the old "
        "one stays. SIGTERM lets\n"
        "runs finish for --stop-wait seconds, ends those that have not, and the next start begins "
        "them again.",
    .options = daemon_options,
    .request_size = sizeof(DaemonOptions),
    .init = daemon_init,
    .run = daemon_run,
};
