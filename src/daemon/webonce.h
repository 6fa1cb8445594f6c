/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a client that lost the answer sends
 * the request again with the same key, and is given the first answer; it is done once. A key is one
 * user's and one route's, and kept for a day.
 */
#pragma once
#include "daemon/webcall.h"

/* *ret_done: it was done before, and answer is what was answered. 409 while the first one is at
 * work, 422 when the key came with another request. Nothing for a request without a key. */
bool web_once_begin(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error);
/* The same, without beginning it: nothing while nobody is at it or was. */
bool web_once_look(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error);
bool web_once_end(WebCall *call, const WebAnswer *answer, GError **error);
/* It failed: the same key may try again. */
void web_once_forget(WebCall *call);
