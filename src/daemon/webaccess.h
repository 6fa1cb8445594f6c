/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask what. Denied unless a row of the table and a proof of identity say otherwise: a
 * session (a cookie, and for changes X-CSRF-Token and an Origin that is ours), or an API token
 * ("Authorization: Bearer bst_...").
 */
#pragma once
#include "daemon/webcall.h"

#define SESSION_FRESH_MS (INT64_C(10) * 60 * 1000)
#define API_TOKEN_PREFIX "bst_"

/* The name of the cookie: with TLS one that no other host and no plain connection can set (RFC
 * 6265bis, "Cookie Name Prefixes"). */
const char *web_cookie_name(const Web *web);

/* Whether the request was meant for us: another name for this address may be a trick to let a
 * page of somebody else speak with us (DNS rebinding). */
bool web_access_host(const WebCall *call, GError **error);
/* Whether the password was given within the last minutes; 403. A token never is. */
bool web_access_fresh(const WebCall *call, GError **error);
/* Fills call->who, and says whether it may ask for call->route. */
bool web_access(WebCall *call, GError **error);
