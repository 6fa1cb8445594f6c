/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a cluster's backup on their way into a sink: one top folder, in it directories
 * that a tar stream comes back to after it left them (pg_control is the last file of its archive,
 * WAL follows the data). Such a directory stays open until the end. One thread.
 */
#pragma once
#include "flow/sink.h"
#include "pg/tarstream.h"

typedef struct PgTree PgTree;

/* A sink that can enter directories, and the name of the top folder; both borrowed. */
PgTree *pg_tree_new(Sink *sink, const char *top);
void pg_tree_free(PgTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgTree, pg_tree_free)

/*
 * entry->path is relative to the top folder, "" for itself; the directory it lies in came before.
 * keep: of a directory, more entries may come after others. cut: as in Entry.
 * BS_ERROR_CORRUPT: it came already, or its directory did not. Errors of the sink.
 */
bool pg_tree_begin(PgTree *tree, const TarEntry *entry, bool keep, size_t cut, GError **error);
/* The same with all that is known of it. node: taken over; its name is that of path. */
bool pg_tree_begin_node(PgTree *tree, const char *path, Node *node, bool keep, size_t cut,
                        GError **error);
/* The file begun last is written and ended by somebody else: its handle, and its node, to be freed.
 */
void *pg_tree_hand_over(PgTree *tree, Node **ret_node);
/* Of the entry begun last, when it is a file. */
bool pg_tree_write(PgTree *tree, const void *data, size_t len, GError **error);
/* Every entry but a directory is ended, before the next one begins. */
bool pg_tree_end(PgTree *tree, GError **error);
/* Has such an entry come? */
bool pg_tree_has(const PgTree *tree, const char *path);
/* The sink is in this directory from here on, which came before and was kept. */
bool pg_tree_enter(PgTree *tree, const char *path, GError **error);
/* All directories are complete. */
bool pg_tree_finish(PgTree *tree, GError **error);
