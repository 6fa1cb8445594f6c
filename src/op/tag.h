/* SPDX-License-Identifier: Apache-2.0 */
/* Other tags for snapshots. A snapshot object never changes: a new one is written, then the old one
 * removed; "original" keeps the id it had first. */
#pragma once
#include "op/open.h"
#include "repo/snapshot.h"

typedef struct {
    char **set, **add, **remove; /* each a comma list; set: NULL unless given */
} TagRequest;

/* True when tags became different. */
bool tag_apply(Snapshot *snapshot, const TagRequest *request);

typedef void (*TagChanged)(const Id *before, const Id *after, void *user);
/* Snapshots whose tags already are as wanted stay as they are. One that cannot be changed is logged
 * and counted in ret_failed; a lost lock ends it all. */
bool op_tag(OpenRepo *open, const GPtrArray *snapshots, const TagRequest *request,
            TagChanged changed, void *user, const Cancel *cancel, unsigned *ret_failed,
            GError **error);
