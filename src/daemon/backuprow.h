/* SPDX-License-Identifier: Apache-2.0 */
/* A run that left a backup, as the history has it. Pure. */
#pragma once
#include "state/catalog.h"

#define BACKUP_LEFT (1u << RUN_SUCCEEDED | 1u << RUN_PARTIAL) /* states of those */

bool backup_row_is(const RunRow *row);
typedef struct {
    const char *id, *source;
    const char *kind; /* "sqlite"; NULL: nobody has told */
} BackupSnapshot;     /* borrowed from the row */

/* The snapshot of the named source, or with NULL the only one. BS_ERROR_NOT_FOUND; BS_ERROR_USAGE:
 * there are several. */
bool backup_row_snapshot(const RunRow *row, const char *source, BackupSnapshot *ret_snapshot,
                         GError **error);
/* Whether the drill, which has succeeded, restored this backup: by the run that it names, or one of
 * its snapshots. */
bool backup_row_is_proven_by(const RunRow *row, const RunRow *drill);
/* Ids of all of them, each once; NULL-terminated. */
char **backup_row_snapshots(const RunRow *row);
/* "spread_ms" or "pause_ms" of a run whose sources were saved as of one moment; -1: there is none.
 */
int64_t backup_row_group_ms(const RunRow *row, const char *name);
