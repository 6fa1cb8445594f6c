/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, in the order of the help. Each row lives in a file of its own. */
#include "cmd/commands.h"

const Command *const commands[] = {
    &version_command,
    NULL,
};
