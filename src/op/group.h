/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots grouped by what they have in common, as restic's --group-by. Pure. */
#pragma once
#include "repo/snapshot.h"

typedef struct {
    bool host, paths, tags;
    bool source; /* by the tag "source=", by paths where there is none */
} GroupBy;

#define GROUP_BY_DEFAULT "host,paths"

/* "host,paths,tags", any of them, also none. BS_ERROR_USAGE. */
bool group_by_parse(const char *text, GroupBy *ret_by, GError **error);

typedef struct {
    char *host; /* NULL where it does not count; likewise: */
    char *source;
    GStrv paths, tags;    /* sorted */
    GPtrArray *snapshots; /* of Snapshot, borrowed, in the order they came */
} SnapshotGroup;

/* Of SnapshotGroup, owned by the array; the same order for the same snapshots. */
GPtrArray *group_snapshots(const GPtrArray *snapshots, GroupBy by);

/* Whether both would be in one group. */
bool group_same(const Snapshot *a, const Snapshot *b, GroupBy by);

/* Leaves the n newest of each group; snapshots are in the order of their age, oldest first. */
void group_keep_newest(GPtrArray *snapshots, GroupBy by, guint n);
