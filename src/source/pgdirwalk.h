/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what of a data directory belongs in a base backup (pg/datadir.h), and gives the files to
 * readers: pgdata/ and tablespaces/<oid>/ in the top folder. Not pg_control, which is read last,
 * and nothing of pg_wal. Links that PostgreSQL follows are followed; of others at the top of the
 * data directory the files are saved as files, and directories (of logs, say) are left out and
 * noted. Deeper ones are no server's, and refused. One thread, beside the readers.
 */
#pragma once
#include "base/cancel.h"
#include "pg/basebackup.h"
#include "pg/control.h"
#include "source/pgdirkeep.h"
#include "source/pgdirread.h"
#include "source/pgtree.h"

typedef struct PgDirSpaces PgDirSpaces;

/* The tablespaces that pg_tblspc names. directory: borrowed while they are. Those that were just
 * dropped are passed over. */
PgDirSpaces *pg_dir_spaces_open(int directory, const PgControl *control, GError **error);
void pg_dir_spaces_free(PgDirSpaces *spaces);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDirSpaces, pg_dir_spaces_free)
/* Of PgTablespace; sizes are not known. */
const GArray *pg_dir_spaces_list(const PgDirSpaces *spaces);
bool pg_dir_spaces_has(const PgDirSpaces *spaces, uint32_t oid);

typedef struct {
    PgDirSpaces *spaces;
    PgTree *tree;         /* its top folder was begun; NULL: only count */
    FileReaders *readers; /* theirs and the next one's user is read */
    PgDirRead *read;
    Sink *sink;            /* of tree */
    const PgDirKeep *keep; /* NULL: all is read */
    size_t cut;
    /* A server that was shut down cleanly starts without emptying unlogged tables. */
    bool with_unlogged;
    const Cancel *cancel;
    /* What is left out that an operator may want to know; may be NULL. */
    void (*note)(const char *text, void *user);
    void *user;
} PgDirWalk;

typedef struct {
    uint64_t files, bytes; /* as they were when seen */
    uint64_t kept;         /* files that were taken over from the last backup */
} PgDirSize;

/* False with error set; without one when the readers failed, who know why. */
bool pg_dir_walk(const PgDirWalk *walk, PgDirSize *ret_size, GError **error);
