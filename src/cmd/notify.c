/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "daemon/channeltest.h"

#include <stdio.h>
#include <string.h>

static bool notify_run(const Context *context, G_GNUC_UNUSED void *request, char **operands,
                       GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    const char *instance;

    if (!operands_between(operands, 2, 2, "test CHANNEL", error))
        return false;
    if (strcmp(operands[0], "test") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "'%s' is nothing that notify does; it reads "
                    "notify test CHANNEL",
                    operands[0]);
        return false;
    }
    if (!configuration_load(context->settings->config, &configuration, error))
        return false;
    instance = configuration->server.node ? configuration->server.node : g_get_host_name();
    if (!channel_test(configuration, operands[1], instance, context->cancel, error))
        return false;
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s, s:b}", "message_type", "notify_test", "channel",
                              operands[1], "delivered", 1));
    else if (!context->settings->quiet)
        printf("%s: delivered\n", operands[1]);
    return true;
}

const Command notify_command = {
    .name = "notify",
    .operands = "test CHANNEL",
    .summary = "try a channel of the configuration's notifications",
    .description =
        "Sends a message to the channel at once, and tells what came of it. PagerDuty gets an "
        "incident that is resolved right away, Healthchecks a line in the log of the check.",
    .run = notify_run,
};
