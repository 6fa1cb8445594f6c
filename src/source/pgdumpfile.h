/* SPDX-License-Identifier: Apache-2.0 */
/* The content of one file of an archive in directory format (source/pgdumpfiles.h), unpacked as it
 * passes. What it is of is known only later, so all that may be asked is noted. One thread. */
#pragma once
#include "base/id.h"
#include "source/pgdump.h"

typedef struct {
    bool marked; /* it ends as the rows of a table do, and that end counts nowhere */
    uint64_t bytes;
    int64_t lines;
    Id sha256;
    GString *text; /* all of it, of a list of large objects; otherwise NULL */
} PgDumpFile;

void pgdump_file_clear(PgDumpFile *file);

typedef struct PgDumpReader PgDumpReader;

PgDumpReader *pgdump_reader_new(void);
void pgdump_reader_free(PgDumpReader *reader); /* takes NULL */
/* file is filled until the end. how: it is packed. */
void pgdump_reader_begin(PgDumpReader *reader, PgDumpFile *file, PgDumpCompression how,
                         bool is_list);
/* BS_ERROR_CORRUPT: packed data are damaged, or a list is larger than any real one. */
bool pgdump_reader_feed(PgDumpReader *reader, const void *data, size_t len, GError **error);
/* BS_ERROR_CORRUPT: packed data end early. */
bool pgdump_reader_end(PgDumpReader *reader, GError **error);
