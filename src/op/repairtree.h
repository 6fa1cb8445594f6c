/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trees of damaged snapshots, made anew without what cannot be had: files lose their missing
 * blobs, a directory whose tree is lost becomes an empty one. For op/repairsnapshots.c. One thread.
 */
#pragma once
#include "op/repairsnapshots.h"
#include "repo/packer.h"
#include "repo/snapshot.h"
#include "repo/strays.h"

typedef struct {
    Id tree;     /* of the snapshot; what it was when nothing is damaged */
    bool lost;   /* nothing can be had of it */
    bool unlike; /* a tree is whole but not of the format */
} RepairedTree;

typedef struct RepairTree RepairTree;

/* All borrowed, for as long as it lives. New trees go to packer; watch is told each damage. */
RepairTree *repair_tree_new(Repo *repo, Packer *packer, Strays *strays,
                            const RepairSnapshotsWatch *watch);
void repair_tree_free(RepairTree *repair); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RepairTree, repair_tree_free)

/* Trees that several snapshots share are walked once. Fails when the store does. */
bool repair_tree_run(RepairTree *repair, const Snapshot *snapshot, const Cancel *cancel,
                     RepairedTree *ret_tree, GError **error);
