/* SPDX-License-Identifier: Apache-2.0 */
/* The way through trees that tree_walk() and the reader share: depth first, names in order, any
 * depth. */
#pragma once
#include "flow/reader.h"
#include "repo/pack.h"

typedef struct {
    TreeEach enter;
    /* After what is below a directory that enter continued into, and last for the tree it all began
     * with; not complete: its tree could not be had. tree holds the nodes below it and may be
     * taken. May be NULL. */
    bool (*leave)(const char *path, bool complete, Tree **tree, void *user, GError **error);
    bool (*bad)(const char *path, const GError *problem, void *user);
    void *user;
} WalkOps;

bool walk_run(Repo *repo, BlobOpener *opener, const Id *tree, const char *prefix,
              const WalkOps *ops, const Cancel *cancel, GError **error);
bool walk_load(Repo *repo, BlobOpener *opener, const Id *id, Tree **ret_tree, GError **error);
