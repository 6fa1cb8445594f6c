/* SPDX-License-Identifier: Apache-2.0 */
/* "@NAME" on a command line: a source of the configuration, as if it were typed. */
#pragma once
#include "cmd/command.h"

/*
 * Puts the source's options behind the command's name, argv[0], and its paths or URL in the place
 * of "@NAME"; what is typed comes later and so counts. Where its password is goes to
 * settings->source_password. BS_ERROR_USAGE: other operands beside it, or no such source;
 * BS_ERROR_CONFIG.
 */
bool named_source_expand(const Command *command, char ***argv, Settings *settings, GError **error);
