/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: those of the file to be looked at, those of the API to be changed. */
#pragma once
#include "daemon/webcall.h"

extern const Shape schedule_shape, schedules_shape, schedule_body, toggle_body, started_shape;

bool web_list_schedules(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_create_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_update_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_delete_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_toggle_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_run_schedule(WebCall *call, WebAnswer *answer, GError **error);
bool web_create_backup(WebCall *call, WebAnswer *answer, GError **error);
extern const Shape backup_body;
