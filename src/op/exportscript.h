/* SPDX-License-Identifier: Apache-2.0 */
/* The compressed script of a database as a file in an archive (op/exportapp.h). */
#pragma once
#include "op/dbsnapshot.h"

typedef struct {
    const DbSnapshot *databases;
    const json_t *database; /* the item of it */
    int level;              /* of gzip; 0: the usual one */
    const char *path;       /* in the archive */
    Timestamp time;
    Progress *progress; /* may be NULL */
    const Cancel *cancel;
} ExportScript;

/* An archive wants to know the length before: up to 4 MiB are kept in memory, more is made twice,
 * and must come out the same. */
bool export_script_into(const ExportScript *script, Sink *sink, GError **error);

/* A regular file of this name, 0600. */
Node *export_file_node(const char *path, uint64_t size, Timestamp time);
/* A name of one part: slashes and what would lead elsewhere become "_". */
char *export_path_name(const char *text);
