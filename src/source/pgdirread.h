/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads files of a data directory while the server writes them. What grows, shrinks or goes away
 * meanwhile is nothing to tell of: the WAL of the backup says what became of it. Pages are checked
 * as they pass; one that does not fit is read again, for it may just be written, and what still
 * does not fit is looked at once more in the end. A file that cannot be read fails the backup.
 */
#pragma once
#include "base/cancel.h"
#include "source/filereader.h"

typedef struct {
    Sink *sink; /* borrowed, as the next */
    const Cancel *cancel;
    uint32_t blocks_per_file; /* of a relation; 0: pages are not checked */
} PgDirReadOptions;

typedef struct PgDirRead PgDirRead;

PgDirRead *pg_dir_read_new(const PgDirReadOptions *options);
void pg_dir_read_free(PgDirRead *read);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDirRead, pg_dir_read_free)

/* A FileRead; its user is a PgDirRead, the path of a job is that from the data directory. */
bool pg_dir_read_file(void *user, FileJob *job, uint8_t *buffer, GError **error);

/* What came in another way, so that the manifest has it. Any thread. */
void pg_dir_read_add(PgDirRead *read, const char *path, uint64_t size, int64_t mtime, uint32_t crc);

/* A file of the backup, as backup_manifest has it. */
typedef struct {
    char *path; /* from the data directory */
    uint64_t size;
    int64_t mtime; /* Unix seconds */
    uint32_t crc;  /* CRC-32C */
} PgDirLine;

/* Pages of one file that are damaged in the backup. */
typedef struct {
    char *path;
    uint32_t block; /* of the relation, the first */
    unsigned n;
    uint16_t stored, counted; /* checksums of the first; both 0: it says it is new, and is not */
} PgDirDamage;

/* The rest is for one thread, when all files are read. In the order of their paths. */
const PgDirLine *const *pg_dir_read_lines(PgDirRead *read, size_t *ret_n);
/*
 * The pages that did not fit, looked at once more in directory, whose server is still in backup
 * mode: one that was written since start is made whole by the WAL up to now, which the backup will
 * hold. What is damaged: an array of PgDirDamage, a row for each file. Before the server leaves
 * backup mode.
 */
const GArray *pg_dir_read_settle(PgDirRead *read, int directory, uint64_t start, uint64_t now);
