/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a snapshot, for a source that continues it. One thread. */
#pragma once
#include "repo/repo.h"
#include "repo/snapshot.h"

/* Both borrowed; the index is loaded. */
typedef struct {
    Repo *repo;
    const Snapshot *snapshot;
} ParentFiles;

/* As SourceParent.file; its user is a ParentFiles. BS_ERROR_CORRUPT: no file, or longer than bound.
 */
bool parent_file_load(void *user, const char *path, size_t bound, GBytes **ret_content,
                      GError **error);
