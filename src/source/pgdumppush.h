/* SPDX-License-Identifier: Apache-2.0 */
/* An archive of pg_dump in directory format as a folder in the folder of a source. One thread. */
#pragma once
#include "source/pgdumpfiles.h"
#include "source/pgpush.h"

/* The directory from becomes name. files reads what passes, and is finished. Adds file, format,
 * size and sha256 to facts. BS_ERROR_CORRUPT: it is not whole, or something else lies in it. */
bool pg_dump_push(PgPush *push, const char *from, const char *name, PgDumpFiles *files,
                  json_t *facts, GError **error);
/* That facts are of such an archive, of which files have come. */
void pg_dump_push_facts(const char *name, const PgDumpFiles *files, json_t *facts);
/* One of its files, which inlet gives. */
bool pg_dump_push_file(PgPush *push, Inlet *inlet, const char *folder, const char *name,
                       PgDumpFiles *files, GError **error);
