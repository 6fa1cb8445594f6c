/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink that writes into a repository: cuts content into chunks, feeds the packer, builds trees
 * from the leaves up, and with finish makes one snapshot. Entries whose size, mtime, ctime and
 * inode equal those of the parent snapshot's entry at the same path are reused (sink.h, reuse),
 * when all their blobs are in the index. caps: SINK_MANY_OPEN (files).
 */
#pragma once
#include "flow/progress.h"
#include "flow/sink.h"
#include "repo/packer.h"
#include "repo/snapshot.h"

typedef enum { ITEM_NEW, ITEM_CHANGED, ITEM_UNMODIFIED } ItemChange;

typedef struct {
    const Snapshot *parent; /* NULL: none */
    bool ignore_ctime, ignore_inode;
    bool skip_if_unchanged; /* no snapshot when the tree is the parent's */
    bool dry_run;
    unsigned workers; /* 0: choose */
    Progress *progress;
    /* For --verbose and --json: an entry is complete. Any thread. May be NULL. */
    void (*item)(const char *path, const Node *node, ItemChange change, void *user);
    void *user;
    /* Fails when the lock was lost; asked before each index object, from any thread. May be NULL.
     */
    bool (*before_index)(void *user, GError **error);
    /* The same and more, before the snapshot is written. May be NULL. */
    bool (*before_snapshot)(void *user, GError **error);
    void *before_user;
    /* A directory of the parent snapshot cannot be read, so what lies in it is read as if it were
     * new. Any thread. May be NULL. */
    void (*parent_unreadable)(const Id *tree, const GError *problem, void *user);
    void *unreadable_user;
} ArchiverOptions;

typedef struct Archiver Archiver;

/* snapshot: what the snapshot will say (paths, tags, host ...), taken over. tree, time if 0 and
 * summary are filled in. */
Archiver *archiver_new(Repo *repo, Snapshot *snapshot, const ArchiverOptions *options,
                       const Cancel *cancel);
Sink *archiver_sink(Archiver *archiver); /* borrowed */
void archiver_free(Archiver *archiver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archiver, archiver_free)

/* Before finish: more is known than when the backup began. tags: copied. */
void archiver_set_tags(Archiver *archiver, char *const *tags);
/* After a failed or cancelled run: makes durable packs findable for the next run. */
bool archiver_salvage(Archiver *archiver, GError **error);
/* After finish: hands over the snapshot with its id; false in ret_saved when it was skipped as
 * unchanged, or with dry_run. */
Snapshot *archiver_take_snapshot(Archiver *archiver, bool *ret_saved);
