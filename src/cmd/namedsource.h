/* SPDX-License-Identifier: Apache-2.0 */
/* "@NAME" on a command line: a source of the configuration, as if it were typed; "@NAME/DATABASE":
 * another database of its server. */
#pragma once
#include "cmd/command.h"
#include "source/source.h"

/*
 * Puts the source's options behind the command's name, argv[0], and its paths or URL in the place
 * of "@NAME"; what is typed comes later and so counts. Where its password is goes to
 * settings->source_password, its name to settings->source_name. BS_ERROR_USAGE: other operands
 * beside it, or no such source; BS_ERROR_CONFIG.
 */
bool named_source_expand(const Command *command, char ***argv, Settings *settings, GError **error);

/* What a run of a schedule adds to its sources, for those (of Source *) that "@NAME" became: facts,
 * and whether it is secret. operands: with passwords. */
bool named_source_facts(const Context *context, char *const *operands, const GPtrArray *sources,
                        GError **error);
