/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees from the leaves up. Entries are begun in the order of the walk by one thread; they become
 * complete in any order in any thread. When the last child of a directory that was left is
 * complete, whoever completed it encodes and stores the directory's tree, then counts it as a
 * complete child of its parent, and so on up to the root. Beside each directory runs the parent
 * snapshot's directory, so that an entry knows its older self.
 */
#pragma once
#include "codec/tree.h"
#include "flow/treeahead.h"
#include "repo/packer.h"

typedef struct TreeBuild TreeBuild;
typedef struct TreeSlot TreeSlot; /* an entry's place in its directory; gone once done or dropped */

/* parent: tree of the parent snapshot, or NULL. unreadable: of the trees below it; may be NULL. */
TreeBuild *tree_build_new(Repo *repo, Packer *packer, const Id *parent, TreeUnreadable unreadable,
                          void *user);
void tree_build_free(TreeBuild *build);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TreeBuild, tree_build_free)

/* A new entry of the current directory; a directory becomes the current one. Copies node. */
TreeSlot *tree_build_begin(TreeBuild *build, const Node *node, GError **error);
/* A directory that was not left becomes the current one again. */
void tree_build_enter(TreeBuild *build, TreeSlot *dir);
/* The current directory gets no more entries. Its slot is done or dropped after that. */
void tree_build_leave(TreeBuild *build);

/* See sink.h, undated. */
void tree_slot_undate(TreeSlot *slot);
/* To be completed (content, size) before done; borrowed. */
Node *tree_slot_node(TreeSlot *slot);
/* Takes over everything but name, content and subtree. */
void tree_slot_update(TreeSlot *slot, const Node *node);
/* The parent snapshot's entry of this name, or NULL. Borrowed until done. */
const Node *tree_slot_old(const TreeSlot *slot);
/* Failures to store a tree are the packer's failures. */
void tree_slot_done(TreeSlot *slot);
void tree_slot_drop(TreeSlot *slot);

/* After everything is done and the packer is drained. */
bool tree_build_finish(TreeBuild *build, Id *ret_tree, GError **error);
void tree_build_dir_counts(const TreeBuild *build, uint64_t *ret_new, uint64_t *ret_changed,
                           uint64_t *ret_same);
