/* SPDX-License-Identifier: Apache-2.0 */
/* The way through trees, without content: depth first, names in order, any depth up to one that is
 * nobody's directory but an attack. A walk belongs to the thread that runs it. */
#pragma once
#include "base/cancel.h"
#include "codec/tree.h"
#include "repo/blob.h"
#include "repo/repo.h"

typedef enum { WALK_CONTINUE, WALK_SKIP, WALK_FAIL } WalkNext;
typedef WalkNext (*TreeEach)(const char *path, const Node *node, void *user, GError **error);

typedef struct {
    TreeEach enter;
    /* After what is below a directory that enter continued into, and last for the tree it all began
     * with; not complete: its tree could not be had. tree holds the nodes below it and may be
     * taken. May be NULL. */
    bool (*leave)(const char *path, bool complete, Tree **tree, void *user, GError **error);
    /* A subtree cannot be read; true: go on. NULL: fail. */
    bool (*bad)(const char *path, const GError *problem, void *user);
    void *user;
} WalkOps;

/* tree: a directory's tree; prefix: its path ("" for the root), put before every name. */
bool walk_run(Repo *repo, BlobOpener *opener, const Id *tree, const char *prefix,
              const WalkOps *ops, const Cancel *cancel, GError **error);
bool walk_load(Repo *repo, BlobOpener *opener, const Id *id, Tree **ret_tree, GError **error);

/* walk_run() with an opener of its own. */
bool tree_walk(Repo *repo, const Id *tree, const char *prefix, TreeEach each,
               bool (*bad)(const char *path, const GError *problem, void *user), void *user,
               const Cancel *cancel, GError **error);

/* Finds the node at path below tree; "" or "/" is the root itself: *ret_node is NULL then and
 * *ret_tree its id. */
bool walk_find(Repo *repo, const Id *tree, const char *path, Node **ret_node, Id *ret_tree,
               GError **error);
/* The content of the regular file at path below tree. BS_ERROR_CORRUPT: it is none, is longer than
 * bound bytes, or is not as long as its node says. */
bool walk_read(Repo *repo, const Id *tree, const char *path, size_t bound, GBytes **ret_content,
               GError **error);
