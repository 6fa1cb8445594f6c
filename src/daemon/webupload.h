/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are sent to be imported: let in by their head, written piece by piece, handed to the
 * scheduler when they are whole. Whatever else happens, nothing of them is left.
 */
#pragma once
#include "daemon/importorder.h"
#include "daemon/webcall.h"

#define WEB_UPLOADS 2u /* at once; less than WEB_WORKERS, for each may keep one busy */

bool web_upload(WebCall *call, WebAnswer *answer, GError **error);
