/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing back what a bucket with versioning keeps of objects that somebody replaced or removed.
 *
 * An object is put once, and its name is the hash of its content. So what has one version is what
 * was put, and what has more was put again, or removed; of these the hash says which version is
 * the right one. It is put once more and becomes the newest; nothing is removed.
 *
 * What is removed was as a rule removed by forget, prune or repair, and nothing tells a thief's
 * removal from theirs but the time. So of that only packs come back that the index names, unless a
 * time is given.
 */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct {
    const char *key;
    bool removed;        /* else replaced */
    const char *version; /* what came back; NULL: none of them is what the name says */
} VersionsFound;

typedef struct {
    int64_t removed_since; /* Unix seconds: all that was removed from then on comes back; 0: none */
    void (*found)(const VersionsFound *found, void *user);
    /* Asked before anything is put; may be NULL. */
    bool (*still_locked)(void *user, GError **error);
    void *user;
    const Cancel *cancel;
} VersionsRequest;

typedef struct {
    uint64_t brought_back;
    uint64_t lost;              /* no version is what the name says */
    uint64_t snapshots_removed; /* and left so */
} VersionsStats;

/* Key files; without a repository, which may not open before. Adds to the stats.
 * BS_ERROR_UNSUPPORTED: the store keeps no versions. */
bool versions_repair_keys(Store *store, const VersionsRequest *request, VersionsStats *stats,
                          GError **error);
/* The rest. The caller holds the exclusive lock. The repository's index is loaded anew. */
bool versions_repair(Repo *repo, const VersionsRequest *request, VersionsStats *stats,
                     GError **error);
