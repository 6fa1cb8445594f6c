/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink that takes one archive of pg_dump in directory format and puts it into a directory of
 * its own below $TMPDIR, for pg_restore, which wants it there. It is handed on by finish, after it
 * proved whole and the one that was recorded. Its toc.dat is known beforehand.
 */
#pragma once
#include "flow/sink.h"
#include "source/pgdumpfiles.h"
#include <jansson.h>

typedef struct {
    /* Before the first of it is written. toc: the bytes that pg_restore will get of toc.dat, to be
     * changed as one likes; *toc may become others. */
    bool (*start)(void *user, const PgDump *dump, GByteArray **toc, GError **error);
    bool (*run)(void *user, const char *directory, GError **error);
    void (*free)(void *user);
    bool only_look; /* start fails, by the first write instead of the first begin */
} PgFilesUse;

/* user is freed with it. toc: toc.dat as it lies in the snapshot. recorded: borrowed; its item of
 * the manifest. begin: BS_ERROR_USAGE: a second archive. BS_ERROR_NO_SPACE: $TMPDIR. */
Sink *pg_files_sink_new(const PgFilesUse *use, void *user, GBytes *toc, const json_t *recorded);
