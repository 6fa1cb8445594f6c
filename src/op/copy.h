/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots from one repository into another, without cutting anew, and what lives with them: the
 * WAL of clusters, the copies of configuration and catalogue. */
#pragma once
#include "op/open.h"
#include "repo/snapshot.h"

typedef struct {
    SnapshotFilter filter;
    char *const *ids; /* only these; empty: all that match */
} CopyRequest;

typedef struct {
    uint64_t snapshots, snapshots_there; /* copied, and those like one that is there already */
    uint64_t wal, wal_there;             /* files of WAL */
    uint64_t wal_bytes;                  /* of the former, as they were archived */
    uint64_t installations;              /* copied (op/installation.h) */
    uint64_t held_back;                  /* objects that are damaged, or not what their name says */
} CopyResult;

typedef struct {
    /* saved NULL: there is a snapshot like it already. */
    void (*copied)(const Snapshot *snapshot, const Snapshot *saved, void *user);
    void *user;
    _Atomic uint64_t *bytes; /* read so far; may be NULL */
} CopyWatch;

/* from is locked shared, to too. Blobs first, each opened once; then WAL; a snapshot is written
 * when all it needs is durable. BS_ERROR_PARTIAL: something was held back, all else is there. */
bool op_copy(OpenRepo *from, OpenRepo *to, const CopyRequest *request, const CopyWatch *watch,
             const Cancel *cancel, CopyResult *ret_result, GError **error);
