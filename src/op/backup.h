/* SPDX-License-Identifier: Apache-2.0 */
/* One backup: a source down the road into a repository, one snapshot. */
#pragma once
#include "flow/archiver.h"
#include "op/open.h"
#include "source/source.h"

typedef struct {
    char **tags; /* each a comma list */
    const char *host, *time, *parent;
    char **excludes; /* only noted in the snapshot */
    bool force;      /* no parent: read everything */
    bool ignore_ctime, ignore_inode, skip_if_unchanged, dry_run;
    bool note_left_out; /* as a tag, "left-out=N", when items were left out */
    /* The parent is the newest of the same group (op/group.h); NULL: host,paths. */
    const char *group_by;
} BackupRequest;

typedef struct {
    Progress *progress; /* may be NULL; then nothing is estimated */
    SourceProblem problem;
    void (*item)(const char *path, const Node *node, ItemChange change, void *user);
    /* All was read; what is on its way is being made durable. May be NULL. */
    void (*finishing)(void *user);
    /* Asked with the repository's own lock, before the snapshot is written. May be NULL. */
    bool (*still_allowed)(void *user, GError **error);
    void *user;
} BackupWatch;

typedef struct {
    Snapshot *snapshot;
    bool saved;        /* false: dry run, or unchanged and skipped */
    unsigned problems; /* items left out */
} BackupResult;
void backup_result_clear(BackupResult *result);

/* Fails without a snapshot when the source as a whole failed; true with problems > 0 is exit 3 for
 * the caller. source is borrowed. */
bool op_backup(OpenRepo *open, Source *source, const BackupRequest *request,
               const BackupWatch *watch, const Cancel *cancel, BackupResult *ret_result,
               GError **error);
