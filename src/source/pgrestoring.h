/* SPDX-License-Identifier: Apache-2.0 */
/* What the ways back of a dump share, as a stream (pgrestore.c) or in files (pgrestorefiles.c): the
 * target, and pg_restore (pgrestorerun.c). One thread. */
#pragma once
#include "base/child.h"
#include "pg/passfile.h"
#include "pg/tools.h"
#include "source/pgdump.h"
#include "source/pgrestore.h"

typedef struct {
    PgUrl *url;
    PgTargetOptions options;
    bool no_acl;
    unsigned jobs;
    PgPreview *preview;
    GStrv tables, schemas;
    const Cancel *cancel;

    const PgDump *dump; /* of which the table of contents has passed; borrowed */
    const char *from;   /* what pg_restore reads; NULL: its standard input; borrowed */
    PgTarget *target;
    GHashTable *chosen; /* NULL: all entries */
    PgAccess *access;
    PgTool *tool;
    Child *child;
    char *list; /* file that names the chosen entries */
} PgRestoring;

/* Of zeros. To be done with also when it failed. */
bool pg_restoring_init(PgRestoring *restoring, const PgRestoreRequest *request, GError **error);
void pg_restoring_done(PgRestoring *restoring);

/* The table of contents has passed: all that can be known is looked at. With a preview it fails
 * with BS_ERROR_SOFT_SKIP. */
bool pg_restoring_look(PgRestoring *restoring, GError **error);
bool pg_restoring_spawn(PgRestoring *restoring, GError **error);
/* For the end of pg_restore. */
bool pg_restoring_wait(PgRestoring *restoring, GError **error);
/* All is restored: it is compared, and made fit for use. */
bool pg_restoring_prove(PgRestoring *restoring, GError **error);

/* A file of ours in $TMPDIR. */
char *pg_restoring_temp_file(const char *what, int *ret_fd, GError **error);
