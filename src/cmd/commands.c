/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, in the order of the help. Each row lives in a file of its own. */
#include "cmd/commands.h"

const Command *const commands[] = {
    &init_command,       //
    &backup_command,     //
    &restore_command,    //
    &check_command,      //
    &forget_command,     //
    &prune_command,      //
    &copy_command,       //
    &completion_command, //
    &version_command,    //
    &manual_command,     //
    NULL,
};
