/* SPDX-License-Identifier: Apache-2.0 */
/* The first administrator, logins and sessions. */
#pragma once
#include "daemon/webcall.h"

extern const Shape setup_body, login_body, confirm_body, password_body, session_shape,
    sessions_shape;

bool web_setup(WebCall *call, WebAnswer *answer, GError **error);
bool web_login(WebCall *call, WebAnswer *answer, GError **error);
bool web_logout(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_session(WebCall *call, WebAnswer *answer, GError **error);
bool web_confirm(WebCall *call, WebAnswer *answer, GError **error);
bool web_change_password(WebCall *call, WebAnswer *answer, GError **error);

/* When there is no user yet: makes a setup token, keeps its hash, and gives its text, once.
 * *ret_text NULL: there are users. */
bool web_setup_prepare(Catalog *catalog, char **ret_text, GError **error);
#define SETUP_MS (INT64_C(60) * 60 * 1000)
