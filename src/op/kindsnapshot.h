/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of one source that is not files: the one folder at its root, and the manifest in it
 * (design.md, section 5). */
#pragma once
#include "flow/progress.h"
#include "flow/sink.h"
#include "repo/snapshot.h"
#include <jansson.h>

typedef struct {
    const char *kind; /* as the manifest says it: "redis" */
    const char *what; /* for people: "a Redis server" */
} SourceKind;

typedef struct {
    Repo *repo;   /* borrowed */
    Id tree;      /* of the folder */
    char *folder; /* its path: "/redis-cache-6379" */
    json_t *manifest;
} KindSnapshot;

/* The index is loaded. BS_ERROR_USAGE: it is a snapshot of something else. */
bool kind_snapshot_open(Repo *repo, const Snapshot *snapshot, const SourceKind *kind,
                        KindSnapshot *ret_snapshot, GError **error);
void kind_snapshot_done(KindSnapshot *snapshot);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KindSnapshot, kind_snapshot_done)

/* An entry of the folder, with what is below it, down the road; then the sink is finished.
 * progress: may be NULL. BS_ERROR_NOT_FOUND: the snapshot does not have it. */
bool kind_snapshot_push(const KindSnapshot *snapshot, const char *name, Sink *sink,
                        Progress *progress, const Cancel *cancel, GError **error);
