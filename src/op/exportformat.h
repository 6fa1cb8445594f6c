/* SPDX-License-Identifier: Apache-2.0 */
/* What a portable file is, as its name ends: "sql.gz". */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef enum {
    EXPORT_DUMP, /* custom format; pg_restore takes it */
    EXPORT_SQL,
    EXPORT_TAR,
    EXPORT_RDB, /* of a Redis server: its dump.rdb */
    EXPORT_DB,  /* of SQLite: the database file */
    EXPORT_APP, /* of several snapshots: op/exportapp.h */
} ExportKind;

typedef enum { EXPORT_PLAIN, EXPORT_GZIP, EXPORT_ZSTD } ExportCompression;

typedef struct {
    ExportKind kind;
    ExportCompression compression;
    int level; /* of gzip 1 to 9, of zstd 1 to 19; 0: their own default */
} ExportFormat;

/* "dump", "sql", "tar", "rdb", "db", all but the first also with ".gz" and ".zst". BS_ERROR_USAGE
 * names them. */
bool export_format_parse(const char *text, ExportFormat *ret_format, GError **error);
/* What a file name ends in, ".gpg" behind it aside; false: nothing known. */
bool export_format_guess(const char *name, ExportFormat *ret_format);
const char *export_format_name(const ExportFormat *format); /* constant */
/* What its file names end in, without the dot: as its name, but "tar.gz" of "app". Constant. */
const char *export_format_ending(const ExportFormat *format);
/* BS_ERROR_USAGE: not of this compression. */
bool export_format_set_level(ExportFormat *format, int level, GError **error);
