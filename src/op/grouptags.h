/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a snapshot of a group says of its moment by tags (doc/guide/groups.md): instant=, a time or
 * "interval", and spread=, of the whole group. Pure.
 */
#pragma once
#include "repo/snapshot.h"
#include <jansson.h>

typedef struct {
    bool is_moment;    /* else it changed until it was read */
    int64_t instant;   /* Unix ms; of a moment */
    int64_t spread_ms; /* -1: no source of the group held a moment */
} GroupTags;

/* tags: of char *. */
void group_tags_add(GPtrArray *tags, const GroupTags *group);
/* False: it is of no group. Anybody may tag: what we would not have written is none of ours. */
bool group_tags_read(const Snapshot *snapshot, GroupTags *ret_group);
/* {"held", "instant", "spread_ms"}, as the manifests have it; NULL: it is of no group. */
json_t *group_tags_describe(const Snapshot *snapshot);
/* Unix ms as RFC 3339; to be freed. */
char *group_time(int64_t ms);
