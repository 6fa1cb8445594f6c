/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing back what a snapshot holds, into a directory. */
#pragma once
#include "codec/pattern.h"
#include "flow/dirsink.h"
#include "flow/progress.h"
#include "op/open.h"
#include "op/restorefacts.h"
#include "repo/snapshot.h"

typedef struct {
    const char *snapshot; /* SNAPSHOT[:PATH] */
    SnapshotFilter filter;
    const char *target;
    const char *target_name; /* as people know it; NULL: that is it */
    const PatternList *include, *iinclude, *exclude, *iexclude; /* NULL: none */
    Overwrite overwrite;
    /* BS_ERROR_NOT_EMPTY when anything lies in the target; with OVERWRITE_NEVER, for what comes
     * there meanwhile stays as it is, and the restore fails. */
    bool into_empty;
    bool sparse, dry_run, delete_extra, verify, no_sync;
    /* What is there serves, and what the snapshot does not have is removed once everything else is
     * done (flow/dirsink.h). With OVERWRITE_ALWAYS only. */
    bool delta;
    const RestoreFacts *facts; /* NULL: they are not compared */
} RestoreRequest;

typedef struct {
    Progress *progress; /* may be NULL */
    /* What happened to an entry: see DirSinkOptions. May be NULL. */
    void (*report)(const char *path, const Node *node, const char *action, void *user);
    void (*problem)(const char *path, const GError *problem, void *user);
    void *user;
} RestoreWatch;

typedef struct {
    Id snapshot;
    uint64_t files_restored, files_skipped, files_deleted, bytes_restored, bytes_skipped;
    uint64_t bytes_same, bytes_fetched; /* delta: of content, there already, or not */
    unsigned problems; /* entries that could not be restored, or not as they were */
    char **steps;      /* what is left to do by hand, in sentences; NULL: nothing; to be freed */
} RestoreResult;

/* True also with problems > 0: the caller ends with exit 3. With verify, every difference found
 * afterwards is a problem and the error is BS_ERROR_MISMATCH. With delta and problems the target
 * stays marked as unfinished. BS_ERROR_NOT_EMPTY: delta into the directory of a running server. */
bool op_restore(OpenRepo *open, const RestoreRequest *request, const RestoreWatch *watch,
                const Cancel *cancel, RestoreResult *ret_result, GError **error);
