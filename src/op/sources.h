/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user names to the source that backs it up. */
#pragma once
#include "source/source.h"
#include "source/volumegroup.h"

typedef struct {
    /* files */
    char **exclude, **iexclude, **exclude_file, **iexclude_file, **exclude_if_present;
    char **files_from, **files_from_verbatim, **files_from_raw;
    bool exclude_caches, one_file_system, with_atime;
    const char *exclude_larger_than;
    /* standard input */
    bool stdin_content, stdin_command;
    const char *stdin_filename;
    /* databases */
    char **databases, **exclude_databases, **exclude_table_data, **exclude_schema, **tables,
        **schemas;
    const char *scratch, *jobs;
    /* clusters */
    const char *checkpoint, *max_rate, *settled;
    bool no_page_checks;
    /* volumes */
    const char *consistency, *freeze_limit;
    VolumeGroup *volumes; /* that they share with those of other requests; NULL: none */
} SourcesRequest;

/* Of Source, in the order given; all paths together are one. BS_ERROR_USAGE, NOT_FOUND. */
bool sources_from_operands(char *const *operands, const SourcesRequest *request,
                           GPtrArray **ret_sources, GError **error);
