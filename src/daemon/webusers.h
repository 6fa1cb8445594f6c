/* SPDX-License-Identifier: Apache-2.0 */
/* Users and their API tokens. */
#pragma once
#include "daemon/webcall.h"

extern const char *const web_role_words[];
extern const Shape user_shape, users_shape, user_body, user_change_body, token_shape, tokens_shape,
    token_body, new_token_shape;

/* 1 to 64 of letters, digits and . _ @ -, the first one a letter or digit. BS_ERROR_USAGE. */
bool web_user_name_check(const char *name, GError **error);

bool web_list_users(WebCall *call, WebAnswer *answer, GError **error);
bool web_create_user(WebCall *call, WebAnswer *answer, GError **error);
bool web_update_user(WebCall *call, WebAnswer *answer, GError **error);
bool web_delete_user(WebCall *call, WebAnswer *answer, GError **error);
bool web_list_tokens(WebCall *call, WebAnswer *answer, GError **error);
bool web_create_token(WebCall *call, WebAnswer *answer, GError **error);
bool web_delete_token(WebCall *call, WebAnswer *answer, GError **error);
