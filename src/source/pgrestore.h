/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back: a sink that takes one dump (pgdump.h) and restores it into a database by pg_restore
 * of the fitting version. What can be known before the first change is looked at when the dump's
 * table of contents has passed: the server's version, extensions, whether the target is empty.
 *
 * With one job it is one transaction, and the last byte of the dump is handed to pg_restore only by
 * finish, after the dump proved whole and equal to what was recorded: before that nothing is
 * committed, and free() without finish() leaves the database as it was (a partial restore may be
 * complete earlier, when pg_restore has read all that it was asked for). With several jobs the dump
 * is spooled to $TMPDIR and verified first, but a failure leaves a part behind. At the end each
 * restored table's rows are counted and compared, and its statistics gathered. psql is never given
 * a dump.
 */
#pragma once
#include "base/cancel.h"
#include "flow/sink.h"
#include "source/pgtarget.h"
#include <jansson.h>

/* What a look at the target has shown. */
typedef struct {
    bool absent;      /* there is no such database; it would be made */
    unsigned objects; /* that it holds */
    /* Of a script that makes its databases itself: what was counted in it. */
    unsigned tables;
    uint64_t rows;
    bool counted;
} PgPreview;

typedef struct {
    const char *url; /* the target; without a database: the name of the one that was dumped */
    /* drop what the dump brings first, in the same transaction; what does not exist is no error.
     * Partitions that only the target has are in the way unless force is set, too */
    bool clean;
    bool create; /* make the database when there is none, with encoding, locale and owner as
                    recorded */
    bool force;  /* also into a database that holds something, or an older server */
    bool no_owner, no_acl;
    unsigned jobs;  /* 0 and 1: one transaction */
    char **tables;  /* only these ("schema.table", "table"), with what belongs to them; NULL: all */
    char **schemas; /* only these */
    const json_t
        *recorded; /* the database's item of the manifest, borrowed until free; NULL: unknown */
    /* Not NULL: nothing is restored. write fails with BS_ERROR_SOFT_SKIP when the table of contents
     * has passed and it is known whether the restore would begin. */
    PgPreview *preview;
    void (*note)(const char *text, void *user); /* for the user to read; may be NULL */
    void *user;
    const Cancel *cancel;
} PgRestoreRequest;

/* How the target is to be looked at; borrows of request what that borrows. */
PgTargetOptions pg_restore_target_options(const PgRestoreRequest *request);

/*
 * Copies what it needs of the request. Directories that come first are passed over; a second file
 * is BS_ERROR_USAGE. Errors of begin and write besides those of a sink: BS_ERROR_UNREACHABLE,
 * _AUTH, _NOT_FOUND (no such database without create; no such table in the dump), _NOT_EMPTY,
 * _VERSION, _UNSUPPORTED (an extension is missing), _CORRUPT (the dump). finish: also
 * BS_ERROR_MISMATCH, when the rows of a table differ.
 */
Sink *pg_restore_sink_new(const PgRestoreRequest *request, GError **error);
/* The same of a dump in directory format, whose files come in any order. toc: its toc.dat. It is
 * spooled in any case; with one job it is one transaction all the same. */
Sink *pg_restore_files_sink_new(const PgRestoreRequest *request, GBytes *toc, GError **error);
