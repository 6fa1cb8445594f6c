/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New snapshots for those that cannot be restored whole, with what can: files without the content
 * that is in no index, empty directories where a tree cannot be read. They have the tag "repaired"
 * and name the old one as their original. Sound snapshots are left alone.
 */
#pragma once
#include "op/open.h"
#include "repo/snapshot.h"

typedef struct {
    SnapshotFilter filter;
    char *const *ids; /* only these; empty: all that match */
    bool forget;      /* then remove the old one; also one that is named and cannot be read, or that
                       * holds a directory that is not of the format */
    bool dry_run;
} RepairSnapshotsRequest;

typedef struct {
    /* path "": the snapshot object itself. action: "content-removed", "size-fixed", "node-removed",
     * "dir-emptied", "unreadable": stable, for programs. */
    void (*damaged)(const Id *snapshot, const char *path, const char *action, const char *message,
                    void *user);
    /* What became of a damaged one. saved: the new one; NULL with dry_run, and when lost: nothing
     * can be had of it. */
    void (*repaired)(const Id *snapshot, const Id *saved, bool lost, bool removed, void *user);
    void *user;
} RepairSnapshotsWatch;

typedef struct {
    unsigned sound, repaired, removed, unreadable; /* or would be, with dry_run */
    unsigned kept; /* in spite of forget: they hold what is not of the format */
} RepairSnapshotsResult;

/* The lock is exclusive. BS_ERROR_CORRUPT when the index does not fit the packs: it decides what is
 * lost, so it comes first. BS_ERROR_PARTIAL: some could not be read and were left alone, or
 * were kept. */
bool op_repair_snapshots(OpenRepo *open, const RepairSnapshotsRequest *request,
                         const RepairSnapshotsWatch *watch, const Cancel *cancel,
                         RepairSnapshotsResult *ret_result, GError **error);
