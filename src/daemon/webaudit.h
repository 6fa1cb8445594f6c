/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who did what: a line in the chain of the catalogue for every change that is let in, written
 * before it is begun, and a second one when it failed. Secrets of a body are left out.
 */
#pragma once
#include "daemon/webcall.h"

/* Of call->route; nothing when nobody is logged in, for then the handler knows who it is. */
bool web_audit_begin(const WebCall *call, GError **error);
/* What cannot be written any more is logged. */
void web_audit_failed(const WebCall *call, const GError *failure);
/* detail: taken; may be NULL. */
bool web_audit(const WebCall *call, const char *user, const char *action, json_t *detail,
               GError **error);
