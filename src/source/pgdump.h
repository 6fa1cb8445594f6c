/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an archive of pg_dump in custom format (archive versions 1.12 to 1.16: pg_dump 9.0 to 19)
 * as it streams past, in slices of any size, and tells what it holds: entries of the table of
 * contents, and for each table the exact rows and the SHA-256 of the COPY text (without its end
 * marker), so that the sum equals COPY ... TO STDOUT | sha256sum.
 *
 * Layout, as PostgreSQL's pg_backup_archiver.c and pg_backup_custom.c write it: "PGDMP", version,
 * sizes of integers and offsets, compression, date, names and versions; the table of contents; then
 * a block for each entry with data. There is no mark at the end of an archive: it is whole when
 * every entry that has data got its block. Data that are compressed are unpacked and read as others
 * are. Memory is bounded whatever the bytes are. One thread at a time.
 */
#pragma once
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int id;       /* what pg_restore's lists call it */
    char *desc;   /* "TABLE", "TABLE DATA", "INDEX", ... */
    char *schema; /* NULL: in none */
    char *tag;    /* its name; with arguments for functions. Names are in the archive's encoding */
    char *owner;  /* NULL or empty: none */
    char *tablespace;  /* NULL or empty: the database's own */
    uint64_t drop_at;  /* where in the archive the text of its DROP statement begins; 0: has none */
    char *definition;  /* of ENCODING and DATABASE PROPERTIES only; otherwise NULL */
    bool is_post_data; /* restored after all data: indexes, constraints, triggers */
    int *depends_on;   /* ids */
    size_t n_depends_on;
    size_t depends_end; /* where in the archive the list of them ends */

    char *file;     /* of an archive in directory format: where its data are; NULL: it has none */
    bool has_data;  /* a block is to come, or came */
    bool copied;    /* data is COPY text; otherwise INSERT statements or large objects */
    bool complete;  /* its block has ended */
    int64_t rows;   /* -1: not known (INSERT statements) */
    uint64_t bytes; /* of data: COPY text without the end marker */
    bool hashed;    /* sha256 is that of the data; not for large objects */
    Id sha256;
} PgDumpEntry;

typedef enum { PGDUMP_PLAIN, PGDUMP_GZIP, PGDUMP_LZ4, PGDUMP_ZSTD } PgDumpCompression;

typedef struct {
    int minor;        /* archive version 1.<minor> */
    size_t int_size;  /* bytes of a number in the archive, besides its sign */
    bool has_offsets; /* entries say where in the archive their data lie */
    PgDumpCompression compression;
    char *database;       /* that was dumped */
    char *server_version; /* "15.20 (Debian ...)" */
    char *dump_version;   /* of pg_dump */
} PgDumpHeader;

#define PGDUMP_INT_MAX 9 /* bytes of a number, with its sign */

typedef struct PgDump PgDump;

PgDump *pgdump_new(void);
/* Of the file toc.dat alone of an archive in directory format: the same fields, but names of files
 * instead of data (source/pgdumpfiles.h). */
PgDump *pgdump_new_toc(void);
void pgdump_free(PgDump *dump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDump, pgdump_free)

/* BS_ERROR_CORRUPT: not such an archive. BS_ERROR_VERSION: a newer version of it than we know.
 * BS_ERROR_UNSUPPORTED: a much older one, or another format. */
bool pgdump_feed(PgDump *dump, const void *data, size_t len, GError **error);
/* No more comes. BS_ERROR_CORRUPT: it ended early; says what is missing. */
bool pgdump_finish(PgDump *dump, GError **error);

/* Header and entries are all there (their data may still come). */
bool pgdump_toc_complete(const PgDump *dump);
/* Where the data begin; 0 before that is known. What lies before holds the time of the dump and so
 * differs in every dump of the same data. */
uint64_t pgdump_toc_len(const PgDump *dump);
/* All borrowed until pgdump_free(). Valid from pgdump_toc_complete() on. */
const PgDumpHeader *pgdump_header(const PgDump *dump);
const GPtrArray *pgdump_entries(const PgDump *dump); /* of PgDumpEntry, in the archive's order */
/* The partition that a TABLE ATTACH entry ties to its parent; NULL for other entries. */
const PgDumpEntry *pgdump_attached(const PgDump *dump, const PgDumpEntry *entry);
/* "UTF8": the encoding of names and data; NULL when the archive does not say. */
char *pgdump_encoding(const PgDump *dump);
/* Large objects and their bytes. */
void pgdump_large_objects(const PgDump *dump, uint64_t *ret_count, uint64_t *ret_bytes);
