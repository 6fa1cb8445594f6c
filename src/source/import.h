/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A portable file as a source: what another program, or export, has left outside the repository.
 * Its snapshot has the kind and the layout that a backup of the same thing has, so that all that
 * restores those restores this. The file is not trusted: it is read once, as a stream, under
 * bounds, nothing of it is run, and a backup of it succeeds only when its own end, its checksums
 * and those of the manifest beside it say that it is whole. One thread.
 */
#pragma once
#include "flow/inlet.h"
#include "source/source.h"

typedef enum {
    IMPORT_DETECT,    /* by its first bytes */
    IMPORT_DUMP,      /* of pg_dump, custom format */
    IMPORT_DIRECTORY, /* of pg_dump, directory format: one, or an archive of tar with its files */
    IMPORT_SQL,       /* of pg_dump or pg_dumpall, plain */
    IMPORT_RDB,       /* of Redis */
    IMPORT_SQLITE,
    IMPORT_APPLICATION, /* an archive of tar with database/ in it */
    IMPORT_FILES,       /* any other */
    N_IMPORT_FORMATS
} ImportFormat;

/* "dump", "dir", "sql", "rdb", "sqlite", "app", "tar": what --as takes. BS_ERROR_USAGE names them.
 */
bool import_format_parse(const char *text, ImportFormat *ret_format, GError **error);

typedef struct {
    const char *origin;    /* the path or URL, without secrets */
    const char *directory; /* NULL, or what is read instead of an inlet: of IMPORT_DIRECTORY */
    const char *file;      /* its name there */
    int64_t modified_at;   /* Unix seconds; -1: not known */
    const char *name;      /* of the source; NULL: "import-" and the file's name without its ends */
    const char *database;  /* that is in it; NULL: what the file says */
    ImportFormat format;
    InletBounds bounds;    /* of what is unpacked */
    OpenpgpWith with;      /* what opens it, when it is encrypted; borrowed */
    const Cancel *cancel;  /* for what goes on beside; borrowed; may be NULL */
    uint64_t entries_max;  /* of an archive */
    const json_t *sidecar; /* the manifest beside it, or NULL */
} ImportOptions;

/* Copies the options and looks at the first bytes. inlet: the file as it is; taken over, also on
 * failure; NULL with a directory. BS_ERROR_UNSUPPORTED: none of the formats, or not the one that
 * was asked for; BS_ERROR_USAGE: the name. The backup fails with BS_ERROR_CORRUPT. */
Source *import_source_new(Inlet *inlet, const ImportOptions *options, GError **error);

/* Is source one that import_source_new() made? Then what was read of the file when its backup
 * succeeded, and what it was found to be. */
ImportFormat import_source_format(const Source *source);
const char *import_format_name(ImportFormat format); /* constant */
OutletCount import_source_count(const Source *source);
