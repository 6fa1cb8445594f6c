/* SPDX-License-Identifier: Apache-2.0 */
/* Restores: looked at beforehand, asked for, followed. What may be asked: daemon/restoreorder.h. */
#pragma once
#include "daemon/restoreorder.h"
#include "daemon/webcall.h"

extern const Shape preview_shape, restore_status_shape, restore_statuses_shape;

bool web_preview_restore(WebCall *call, WebAnswer *answer, GError **error);
bool web_restore(WebCall *call, WebAnswer *answer, GError **error);
/* The newest of one backup; 404: there was none. */
bool web_restore_status(WebCall *call, WebAnswer *answer, GError **error);
/* The newest of all. */
bool web_restore_statuses(WebCall *call, WebAnswer *answer, GError **error);
