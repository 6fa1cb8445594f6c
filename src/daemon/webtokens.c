/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens: of a user, never more than he may, and for a time. */
#include "daemon/webaccess.h"

#include "base/clock.h"
#include "daemon/webproblem.h"
#include "daemon/webtoken.h"
#include "daemon/webusers.h"
#include "state/users.h"
#include <string.h>

#define DAYS_MAX 3650
#define DAY_MS   (INT64_C(24) * 60 * 60 * 1000)

static const char *const scopes[] = { "metrics", "viewer", "operator", "admin", NULL };

static const ShapeField token_fields[] = {
    { "id", SHAPE_TEXT, SHAPE_REQUIRED },
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "user", SHAPE_TEXT, SHAPE_REQUIRED },
    { "scope", SHAPE_TEXT, SHAPE_REQUIRED, .words = scopes },
    { "created_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "expires_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "used_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape token_shape = { "Token", token_fields };
static const ShapeField tokens_fields[] = {
    { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &token_shape },
    { "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape tokens_shape = { "Tokens", tokens_fields };
static const ShapeField body_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, "what it is for", .min = 1, .max = 128 },
    { "scope", SHAPE_TEXT, SHAPE_REQUIRED, "metrics: /metrics alone", .words = scopes },
    { "days", SHAPE_INT, SHAPE_REQUIRED, "until it expires", .min = 1, .max = DAYS_MAX },
    { NULL },
};
const Shape token_body = { "NewToken", body_fields };
static const ShapeField new_fields[] = {
    { "id", SHAPE_TEXT, SHAPE_REQUIRED },
    { "token", SHAPE_TEXT, SHAPE_REQUIRED, "shown this once" },
    { "expires_at", SHAPE_TIME, SHAPE_REQUIRED },
    { NULL },
};
const Shape new_token_shape = { "CreatedToken", new_fields };

static json_t *token_json(const TokenRow *token)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "id", token->id, "name",
                     web_text(token->name), "user", token->user, "scope", token->scope,
                     "created_at", web_time(token->created_at), "expires_at",
                     web_time(token->expires_at), "used_at", web_time(token->used_at));
}

/* His own; an administrator sees and revokes those of all. */
static const char *whose(const WebCall *call)
{
    return call->who.role == ROLE_ADMIN ? NULL : call->who.user;
}

bool web_list_tokens(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GArray) tokens = NULL;
    json_t *items;

    if (!catalog_tokens(call->catalog, whose(call), &tokens, error))
        return false;
    items = json_array();
    for (guint i = 0; i < tokens->len; i++)
        json_array_append_new(items, token_json(&g_array_index(tokens, TokenRow, i)));
    web_answer_json(answer, 200, web_page(items, NULL));
    return true;
}

bool web_create_token(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(Token) token = token_new(API_TOKEN_PREFIX);
    const char *scope = shape_text(call->body, "scope");
    const int64_t now = clock_now_ms();
    g_auto(TokenRow) row = {
        .id = g_strdup(token->id),
        .hash = g_strdup(token->hash),
        .name = g_strdup(shape_text(call->body, "name")),
        .user = g_strdup(call->who.user),
        .scope = g_strdup(scope),
        .created_at = now,
        .expires_at = now + shape_int(call->body, "days", 1) * DAY_MS,
    };
    WebRole role;

    if (web_role_parse(scope, &role) && role > call->who.role)
        return web_refuse(error, 403, "role", "a token cannot do more than who makes it");
    if (!catalog_token_put(call->catalog, &row, error))
        return false;
    web_answer_json(answer, 201,
                    json_pack("{s:s, s:s, s:o}", "id", row.id, "token", token->text, "expires_at",
                              web_time(row.expires_at)));
    return true;
}

bool web_delete_token(WebCall *call, WebAnswer *answer, GError **error)
{
    if (!catalog_token_revoke(call->catalog, call->params[0], whose(call), clock_now_ms(), error))
        return false;
    web_answer_empty(answer, 204);
    return true;
}
