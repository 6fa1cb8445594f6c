/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two trees, and what that costs in blobs. */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct {
    uint64_t files, dirs, others, data_blobs, tree_blobs, bytes; /* before compression */
} DiffCount;

typedef struct {
    uint64_t changed_files;
    DiffCount added, removed;
} DiffStats;

/* modifier, as restic's: "+" added, "-" removed, or of "T" (type), "M" (content), "?" (content, and
 * nothing else: a sign of rotten bits), "U" (metadata). path ends in '/' for directories. False
 * ends it, and diff fails with that error. */
typedef bool (*DiffEach)(const char *path, const char *modifier, void *user, GError **error);

/* metadata: "U" is wanted. Directories that cannot be read are logged, and in the end
 * BS_ERROR_PARTIAL; ret_stats is set then, too. The index is loaded. */
bool op_diff(Repo *repo, const Id *before, const Id *after, bool metadata, DiffEach each,
             void *user, const Cancel *cancel, DiffStats *ret_stats, GError **error);
