/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing an SQLite database back to its place. */
#pragma once
#include "flow/progress.h"
#include "op/open.h"
#include "op/restorefacts.h"
#include "repo/snapshot.h"

typedef struct {
    const char *snapshot; /* SNAPSHOT */
    SnapshotFilter filter;
    const char *target; /* a path */
    bool force, preview;
    bool file;                 /* of the target's name nothing but a file is taken: no link */
    const RestoreFacts *facts; /* NULL: they are not compared */
} RestoreSqliteRequest;

typedef struct {
    Id snapshot;
    uint64_t size, rows; /* as recorded */
    bool existed;        /* there was a database; with preview: there is */
    char *target, *kept; /* the old database, under its new name; NULL: there was none */
} RestoreSqliteResult;
void restore_sqlite_result_clear(RestoreSqliteResult *result);

/* progress: may be NULL. BS_ERROR_USAGE: the snapshot is of something else. BS_ERROR_NOT_EMPTY:
 * there is a database, and no force. BS_ERROR_LOCKED: it is in use. BS_ERROR_MISMATCH: what was
 * written is not what was saved; then nothing was replaced. */
bool op_restore_sqlite(OpenRepo *open, const RestoreSqliteRequest *request, Progress *progress,
                       const Cancel *cancel, RestoreSqliteResult *ret_result, GError **error);
