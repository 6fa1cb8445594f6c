/* SPDX-License-Identifier: Apache-2.0 */
/* Runs and what they leave: backups. */
#pragma once
#include "daemon/webcall.h"

extern const Shape run_shape, runs_shape;
extern const ShapeField runs_query[], log_query[], delete_query[];

bool web_list_runs(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_run(WebCall *call, WebAnswer *answer, GError **error);
bool web_run_log(WebCall *call, WebAnswer *answer, GError **error);
bool web_cancel_run(WebCall *call, WebAnswer *answer, GError **error);

/* Runs of kind "backup" that left something. */
bool web_list_backups(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_backup(WebCall *call, WebAnswer *answer, GError **error);
/* Removes its snapshots, by a task. */
bool web_delete_backup(WebCall *call, WebAnswer *answer, GError **error);
/* Runs of kind "drill". */
bool web_list_drills(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_drill(WebCall *call, WebAnswer *answer, GError **error);
/* The row of {run}, which must be a backup that left something. */
bool web_find_backup(WebCall *call, RunRow *ret_row, GError **error);
