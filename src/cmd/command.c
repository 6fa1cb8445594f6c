/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/command.h"

#include <glib.h>

int command_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    g_printerr("usage: backstay [-r REPO] COMMAND\n");
    return 1;
}
