/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots from one repository into another, without cutting anew. */
#pragma once
#include "op/open.h"
#include "repo/snapshot.h"

typedef struct {
    SnapshotFilter filter;
    char *const *ids; /* only these; empty: all that match */
} CopyRequest;

typedef struct {
    /* saved NULL: there is a snapshot like it already. */
    void (*copied)(const Snapshot *snapshot, const Snapshot *saved, void *user);
    void *user;
    _Atomic uint64_t *bytes;
} CopyWatch;

/* from is locked shared, to too. Blobs first, each opened once; a snapshot is written when all it
 * needs is durable. */
bool op_copy(OpenRepo *from, OpenRepo *to, const CopyRequest *request, const CopyWatch *watch,
             const Cancel *cancel, GError **error);
