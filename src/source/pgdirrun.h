/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backup of a data directory, step by step in this order; what each leaves is there for the
 * next. The server is in backup mode from begin to end, or it is stopped all the time. One thread,
 * which has readers.
 */
#pragma once
#include "pg/control.h"
#include "source/pgconfigdir.h"
#include "source/pgdirkeep.h"
#include "source/pgdirserver.h"
#include "source/pgdirwal.h"
#include "source/pgdirwalk.h"
#include "source/source.h"

/* All borrowed. */
typedef struct {
    const char *name;      /* of the source, and the top folder */
    const char *directory; /* absolute */
    bool fast, no_page_checks;
    size_t parent_cut; /* 0: not known */
    GPtrArray *notes;
    const Source *source; /* for the operator's facts */
    /* manifest.json and backup_manifest of the last backup; NULL: none, or all is read */
    GBytes *parent_facts, *parent_manifest;
    int64_t settled; /* seconds, see pgdirkeep.h */
} PgDirPlan;

typedef struct {
    PgDirPlan plan;
    const SourceRun *source_run;
    Sink *sink;
    int fd;              /* the data directory */
    PgDirServer *server; /* NULL: it is stopped */
    PgControl control;
    GBytes *control_bytes;
    TarEntry like; /* whose the directory is, and when it was read */
    PgDirSpaces *spaces;
    PgDirCircumstances circumstances;
    PgDirKeep *keep;     /* NULL: all is read */
    const char *no_keep; /* why; NULL: there was no last backup */
    PgTree *tree;
    PgDirRead *read;
    PgDirSize size;
    size_t cut;
    bool wal_held;
    Timestamp started;
    uint64_t start_lsn;
    PgDirStop stop;
    const GArray *damage; /* of PgDirDamage; belongs to read */
    PgConfigDir *config;
    char *no_config;
} PgDirRun;

void pg_dir_run_done(PgDirRun *run);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgDirRun, pg_dir_run_done)

/* plan, source_run, sink, started and fd -1 are set, all else is zero. What runs there:
 * BS_ERROR_FAILED when nothing does and it was not shut down cleanly; errors of
 * pg_dir_server_find(). */
bool pg_dir_run_begin(PgDirRun *run, GError **error);
/* All files, pg_control as the last. */
bool pg_dir_run_read(PgDirRun *run, GError **error);
/* The server leaves backup mode, or was stopped all the time; then labels and WAL. */
bool pg_dir_run_end(PgDirRun *run, GError **error);

bool pg_dir_run_checks_pages(const PgDirRun *run);
PgDirWal pg_dir_run_wal(const PgDirRun *run);
/* A directory and a file of ours in the top folder. */
bool pg_dir_run_add_directory(PgDirRun *run, const char *path, GError **error);
bool pg_dir_run_add(PgDirRun *run, const char *path, const void *data, size_t len, GError **error);
/* Is it in the data directory of the backup? */
bool pg_dir_run_has(const PgDirRun *run, const char *name);
