/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing the databases of a snapshot back into a server. */
#pragma once
#include "flow/progress.h"
#include "op/open.h"
#include "op/restorefacts.h"
#include "repo/snapshot.h"

typedef struct {
    const char *snapshot; /* SNAPSHOT, or SNAPSHOT:PATH of one dump */
    SnapshotFilter filter;
    const char *url;  /* with a database: for the one dump chosen; without: each goes to its own */
    char **databases; /* only these of the snapshot; NULL: all */
    char **tables, **schemas;
    unsigned jobs;
    bool clean, create, no_owner, no_acl, force, globals, preview;
    const RestoreFacts *facts; /* of all databases together; NULL: they are not compared */
} RestoreDbRequest;

typedef struct {
    const char *name;    /* of the database in the snapshot */
    uint64_t size, rows; /* of the whole dump */
    unsigned tables;
    bool counted; /* tables and rows are known: the backup could read the dump */
    bool partial; /* only chosen tables or schemas of it */
    /* With preview: */
    bool target_absent; /* the database would be made */
    unsigned target_objects;
} RestoredDb;

typedef struct {
    Progress *progress; /* may be NULL */
    /* preview: would be restored, the target was asked. Otherwise: was, and its rows were compared.
     */
    void (*restored)(const RestoredDb *database, void *user);
    void (*note)(const char *text, void *user);
    RestoreDiffers differs; /* preview: what was recorded is not as it is in the target */
    void *user;
} RestoreDbWatch;

/* BS_ERROR_NOT_EMPTY, _MISMATCH, _VERSION, ... as pgrestore.h tells. Databases restored before the
 * one that failed stay. */
bool op_restore_db(OpenRepo *open, const RestoreDbRequest *request, const RestoreDbWatch *watch,
                   const Cancel *cancel, Id *ret_snapshot, GError **error);
