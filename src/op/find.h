/* SPDX-License-Identifier: Apache-2.0 */
/* Where in snapshots something lies: entries by pattern and time, or blobs by id. */
#pragma once
#include "codec/pattern.h"
#include "codec/tree.h"
#include "repo/snapshot.h"

/* ---- entries ---- */

typedef struct {
    const PatternList *patterns;
    const Timestamp *oldest, *newest; /* of the mtime; NULL: any */
} FindRequest;

/* False ends the search, which then fails with that error. */
typedef bool (*FindEntry)(const Snapshot *snapshot, const char *path, const Node *node, void *user,
                          GError **error);

/* In the order of the snapshots. Trees that cannot be read are logged, and in the end
 * BS_ERROR_PARTIAL. The index is loaded. */
bool op_find(Repo *repo, const GPtrArray *snapshots, const FindRequest *request, FindEntry each,
             void *user, const Cancel *cancel, GError **error);

/* ---- blobs ---- */

typedef struct FindIds FindIds;
FindIds *find_ids_new(void);
void find_ids_free(FindIds *ids);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FindIds, find_ids_free)
/* An id or the beginning of one. BS_ERROR_USAGE. */
bool find_ids_add(FindIds *ids, BlobType type, const char *text, GError **error);
/* Every blob of a pack, by its id or the beginning of it: from its header, or from the index when
 * the pack is gone. BS_ERROR_NOT_FOUND. */
bool find_ids_add_pack(FindIds *ids, Repo *repo, const char *text, GError **error);

/* tree: the directory it is in; for trees the tree itself. */
typedef bool (*FindBlob)(const Snapshot *snapshot, BlobType type, const Id *id, const char *path,
                         const Id *tree, void *user, GError **error);

bool op_find_ids(Repo *repo, const GPtrArray *snapshots, const FindIds *ids, FindBlob each,
                 void *user, const Cancel *cancel, GError **error);
