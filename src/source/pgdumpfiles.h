/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an archive of pg_dump in directory format as its files stream past, in any order, each in
 * slices of any size, and tells what it holds, as pgdump.h does of an archive in one file. Layout,
 * as PostgreSQL's pg_backup_directory.c writes it: toc.dat, which names a file for each entry with
 * data ("3012.dat"); for large objects that file ("blobs.toc", from 17 on "blobs_<id>.toc") has a
 * line for each of them, "<oid> blob_<oid>.dat". Any of them but toc.dat may be packed by gzip,
 * LZ4 or zstd and is then called so ("3012.dat.gz"). It is whole when every file that is named is
 * there, with its end. Memory is bounded by the number of files. One thread at a time.
 */
#pragma once
#include "source/pgdump.h"

#define PGDUMP_TOC "toc.dat"

typedef struct PgDumpFiles PgDumpFiles;

PgDumpFiles *pgdump_files_new(void);
void pgdump_files_free(PgDumpFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDumpFiles, pgdump_files_free)

/* Whether such an archive may have a file of this name. */
bool pgdump_files_has_name(const char *name);

/* The next file, by its name in the directory; no other is open. BS_ERROR_CORRUPT: it came already,
 * or no such archive has a file of that name. */
bool pgdump_files_begin(PgDumpFiles *files, const char *name, GError **error);
bool pgdump_files_feed(PgDumpFiles *files, const void *data, size_t len, GError **error);
bool pgdump_files_end(PgDumpFiles *files, GError **error);
/* No more come. BS_ERROR_CORRUPT: one that is named is missing or cut off, or is named nowhere.
 * BS_ERROR_UNSUPPORTED: packed as no pg_restore of its archive version reads it. */
bool pgdump_files_finish(PgDumpFiles *files, GError **error);

/* Borrowed. Its entries know their data after pgdump_files_finish(). */
const PgDump *pgdump_files_dump(const PgDumpFiles *files);
/* Bytes of all files, and the SHA-256 of what `sha256sum *` prints of them in the C locale. */
void pgdump_files_sum(const PgDumpFiles *files, uint64_t *ret_size, Id *ret_sha256);
