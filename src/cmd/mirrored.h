/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that write tell of the mirrors. */
#pragma once
#include "cmd/command.h"
#include "op/open.h"
#include <jansson.h>

/* Of each mirror its name and state, for a summary; waits for what is on its way. NULL: there are
 * none. */
json_t *mirrored_json(OpenRepo *open);

/*
 * The end of a command: ok is what came of it, with error set when nothing did. When it has done
 * its work, wholly or in part, mirrors that are behind are caught up; pruned: and rid of packs that
 * nothing needs. False when the command failed before, or with BS_ERROR_DESTINATION.
 */
bool mirrored_finish(const Context *context, OpenRepo *open, bool pruned, bool ok, GError **error);

/* One line or JSON object about a mirror with which something was done. */
void mirrored_tell(const Settings *settings, FILE *json_to, const MirrorOutcome *outcome);
