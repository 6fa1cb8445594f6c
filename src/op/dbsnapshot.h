/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of PostgreSQL's databases: its manifest, and the dumps it names (design.md, section
 * 5).
 */
#pragma once
#include "flow/progress.h"
#include "flow/sink.h"
#include "repo/snapshot.h"
#include <jansson.h>

typedef struct {
    Repo *repo;   /* borrowed */
    Id tree;      /* of the source's top folder */
    char *folder; /* its path: "/postgresql-db1-app" */
    json_t *manifest;
} DbSnapshot;

/* The index is loaded. BS_ERROR_USAGE: it is a snapshot of something else; BS_ERROR_CORRUPT. To be
 * done with in either case. */
bool db_snapshot_open(Repo *repo, const Snapshot *snapshot, DbSnapshot *ret_db, GError **error);
void db_snapshot_done(DbSnapshot *db);

/* Items of the manifest (json_t, borrowed): of the databases named (NULL: all), or with file the
 * one that lies in that file. BS_ERROR_NOT_FOUND. */
GPtrArray *db_snapshot_choose(const DbSnapshot *db, char *const *names, const char *file,
                              GError **error);
/* A text of an item, "" where it has none. */
const char *db_snapshot_text(const json_t *item, const char *key);

/* Version of the pg_dump that made the dump of an item, as a number (150020), for which pg_restore
 * must be new enough; where nothing tells, of the server; 0: not known either. */
int db_snapshot_dumper(const DbSnapshot *db, const json_t *item);

/* A small file of the folder; at most bound bytes. */
bool db_snapshot_read(const DbSnapshot *db, const char *name, size_t bound, GBytes **ret_bytes,
                      GError **error);
/* Whether the dump of an item is in directory format; and its toc.dat. */
bool db_snapshot_is_directory(const json_t *item);
bool db_snapshot_read_toc(const DbSnapshot *db, const json_t *item, GBytes **ret_toc,
                          GError **error);
/* A file of the folder, or a directory with all that is in it, down the road; the sink is not
 * finished. progress may be NULL. */
bool db_snapshot_push(const DbSnapshot *db, const char *file, Sink *sink, Progress *progress,
                      const Cancel *cancel, GError **error);
