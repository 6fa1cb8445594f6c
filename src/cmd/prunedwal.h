/* SPDX-License-Identifier: Apache-2.0 */
/* What prune and forget --prune tell of the WAL that they remove. */
#pragma once
#include "cmd/command.h"
#include "op/walprune.h"

/* clusters: from wal_prune_plan(). */
void pruned_wal_tell(const Settings *settings, const GPtrArray *clusters, bool dry_run);
/* BS_ERROR_PARTIAL where nothing of a cluster could be removed because something is not known. */
bool pruned_wal_complete(const GPtrArray *clusters, GError **error);
