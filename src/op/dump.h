/* SPDX-License-Identifier: Apache-2.0 */
/* The content of one file of a snapshot, or a directory as an archive, into one stream. */
#pragma once
#include "base/cancel.h"
#include "flow/archivesink.h"
#include "repo/repo.h"

typedef struct {
    const char *path;   /* below the tree; "/" is the tree itself */
    ArchiveKind format; /* for directories */
    const char *target; /* a file to write, whole or not at all; NULL: standard output */
} DumpRequest;

/* The index is loaded. */
bool op_dump(Repo *repo, const Id *tree, const DumpRequest *request, const Cancel *cancel,
             GError **error);
