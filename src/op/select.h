/* SPDX-License-Identifier: Apache-2.0 */
/* Which snapshots an operation is about. Those that cannot be read are logged, counted and passed
 * over, unless one is asked for by its id. */
#pragma once
#include "repo/snapshot.h"

/*
 * names (ids, their prefixes, "latest"): each snapshot once, in their order. None (NULL or empty):
 * all that the filter lets through, oldest first. Of Snapshot, owned by the array. BS_ERROR_USAGE:
 * a name with ":subpath", or a filter where only ids are named.
 */
bool select_snapshots(Repo *repo, char *const *names, const SnapshotFilter *filter,
                      GPtrArray **ret_snapshots, unsigned *ret_unreadable, GError **error);

/* The one named "latest", by id or by prefix. ret_subpath: what follows a colon, or NULL. */
bool select_snapshot(Repo *repo, const char *name, const SnapshotFilter *filter,
                     Snapshot **ret_snapshot, char **ret_subpath, unsigned *ret_unreadable,
                     GError **error);

/* The tree of the directory at subpath (NULL: the root). The index is loaded. */
bool select_tree(Repo *repo, const Snapshot *snapshot, const char *subpath, Id *ret_tree,
                 GError **error);

/* False with BS_ERROR_PARTIAL when something had to be left out. */
bool select_complete(unsigned unreadable, GError **error);
