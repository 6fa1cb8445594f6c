/* SPDX-License-Identifier: Apache-2.0 */
/* A run as a row of the table and back. */
#pragma once
#include "state/cataloging.h"

#define RUN_COLUMNS                                                                                \
    "id, kind, schedule, schedule_name, repository, state, cause, due_at, created_at, started_at," \
    " ended_at, node, lease_until, stage, exit_code, error, source_bytes, added_bytes,"            \
    " stored_bytes, files, detail, attempt, user_name"
#define RUN_ACTIVE "state IN ('queued', 'running')" /* as the partial index has it */

void run_row_bind(DbQuery *query, const RunRow *row); /* $1 to $23, in that order */
bool run_row_read(DbQuery *query, RunRow *ret_row, GError **error);
GArray *run_rows_new(void);
/* Steps to the end. */
bool run_rows_read(DbQuery *query, GArray *rows, GError **error);
