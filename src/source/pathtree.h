/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as a tree: what they share is one node. One thread. */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct PathNode {
    char *name;          /* "" at the root */
    bool target;         /* a path ends here: everything below belongs to it */
    GPtrArray *children; /* of PathNode, sorted by name */
} PathNode;

/* A root without anything below. */
PathNode *path_tree_new(void);
/* NULL: nothing. */
void path_tree_free(PathNode *root);
/* path: absolute and clean. */
void path_tree_add(PathNode *root, const char *path);
/* Whether a path ends here or below. */
bool path_tree_has_target(const PathNode *node);
