/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot as a portable file outside the repository, which can be read without Backstay: a dump
 * as pg_dump would have written it, its SQL script, or an archive of all that the snapshot holds. A
 * stream: nothing is written twice, and nothing but the result.
 */
#pragma once
#include "base/cancel.h"
#include "flow/progress.h"
#include "repo/snapshot.h"

typedef enum {
    EXPORT_DUMP, /* custom format; pg_restore takes it */
    EXPORT_SQL,
    EXPORT_TAR,
} ExportKind;

typedef enum { EXPORT_PLAIN, EXPORT_GZIP, EXPORT_ZSTD } ExportCompression;

typedef struct {
    ExportKind kind;
    ExportCompression compression;
    int level; /* of gzip 1 to 9, of zstd 1 to 19; 0: their own default */
} ExportFormat;

/* "dump", "sql", "sql.gz", "sql.zst", "tar", "tar.gz", "tar.zst". BS_ERROR_USAGE names them. */
bool export_format_parse(const char *text, ExportFormat *ret_format, GError **error);
/* What a file name ends in; false: nothing known. */
bool export_format_guess(const char *name, ExportFormat *ret_format);
const char *export_format_name(const ExportFormat *format); /* constant */
/* BS_ERROR_USAGE: not of this compression. */
bool export_format_set_level(ExportFormat *format, int level, GError **error);

typedef struct {
    ExportFormat format;
    const char *database; /* of several in the snapshot; NULL: there is but one */
    const char *target;   /* a file to write, whole or not at all; NULL: standard output */
    /* Beside target, as "<target>.manifest.json": what it is, its size and SHA-256. */
    bool manifest;
    Progress *progress; /* may be NULL */
} ExportRequest;

typedef struct {
    uint64_t size;
    Id sha256;
} Exported;

/* The index is loaded. The manifest is written after the file, so that one that is there tells of a
 * whole file. */
bool op_export(Repo *repo, const Snapshot *snapshot, const ExportRequest *request,
               const Cancel *cancel, Exported *ret_exported, GError **error);
