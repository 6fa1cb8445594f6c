/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent snapshot's trees, read ahead of the walk: whoever takes a directory will soon want its
 * subdirectories, first to last. Threads of its own load them; at most AHEAD_READY lie ready. One
 * thread takes.
 */
#pragma once
#include "codec/tree.h"
#include "repo/repo.h"

typedef struct TreeAhead TreeAhead;

/* A tree that cannot be read. From any thread. */
typedef void (*TreeUnreadable)(const Id *tree, const GError *problem, void *user);

/* unreadable: may be NULL. */
TreeAhead *tree_ahead_new(Repo *repo, TreeUnreadable unreadable, void *user);
void tree_ahead_free(TreeAhead *ahead);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TreeAhead, tree_ahead_free)

/* The tree, and hints for those below it. NULL when it cannot be read: the parent is a help, not a
 * need. */
Tree *tree_ahead_take(TreeAhead *ahead, const Id *id);
