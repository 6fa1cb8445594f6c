/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/commands.h"
#include "cmd/output.h"
#include <stdio.h>

static bool version_run(const Context *context, void *request, char **operands, GError **error)
{
    (void)request;
    if (!operands_between(operands, 0, 0, "", error))
        return false;
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s}", "message_type", "version", "version", BS_VERSION));
    else
        printf("backstay %s\n", BS_VERSION);
    return true;
}

const Command version_command = {
    .name = "version",
    .operands = "",
    .summary = "print the version",
    .run = version_run,
};
