/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, printed from the command table. */
#pragma once
#include "cmd/command.h"
#include <stdio.h>

/* -h, which the parser answers itself; a table of one. */
extern const GOptionEntry help_option[];

void help_overview(FILE *out);
void help_command(FILE *out, const Command *command);
