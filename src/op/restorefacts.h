/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before a restore: the facts that a snapshot was saved with beside what they are now, as the
 * configuration asks for them (op/factsource.h). A preview tells all that differ, a restore only
 * whether the application's key (FACT_KID) is another. What cannot be asked is told, and never
 * taken as equal.
 */
#pragma once
#include "op/restorecompare.h"
#include "repo/snapshot.h"

typedef struct {
    const char *config; /* the file of the configuration; NULL: the usual places */
    const char *named;  /* the target is this source of it; NULL: it was not named */
    const char *target; /* as people know it: a URL, or the path of a directory */
    bool directory;
    const char *server; /* URL of what SQL and Redis ask, with a password; NULL: nothing is asked */
    bool preview;
    RestoreDiffers differs;
    void (*note)(const char *text, void *user);
    void *user;
} RestoreFacts;

/* facts: NULL: nothing is compared. manifest: of the snapshot. False only when cancelled. */
bool restore_facts(const RestoreFacts *facts, const Snapshot *snapshot, const json_t *manifest,
                   const Cancel *cancel, GError **error);

/* The same, where the manifest, or the tags of files, are still to be read; the index is loaded. */
bool restore_facts_of(const RestoreFacts *facts, Repo *repo, const Snapshot *snapshot,
                      const Cancel *cancel, GError **error);
