/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webusers.h"

#include "base/error.h"
#include "daemon/webpassword.h"
#include "daemon/webproblem.h"
#include "state/users.h"
#include <string.h>

const char *const web_role_words[] = { "viewer", "operator", "admin", NULL };

static const ShapeField user_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "role", SHAPE_TEXT, SHAPE_REQUIRED, .words = web_role_words },
    { "enabled", SHAPE_BOOL, SHAPE_REQUIRED },
    { "created_at", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL },
    { "version", SHAPE_INT, SHAPE_REQUIRED },
    { NULL },
};
const Shape user_shape = { "User", user_fields };
static const ShapeField users_fields[] = {
    { "items", SHAPE_LIST, SHAPE_REQUIRED, .of = &user_shape },
    { "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL },
    { NULL },
};
const Shape users_shape = { "Users", users_fields };
static const ShapeField user_body_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, .min = 1, .max = 64 },
    { "password", SHAPE_TEXT, SHAPE_REQUIRED, "at least 12 bytes" },
    { "role", SHAPE_TEXT, SHAPE_REQUIRED, .words = web_role_words },
    { NULL },
};
const Shape user_body = { "NewUser", user_body_fields };
static const ShapeField change_fields[] = {
    { "password", SHAPE_TEXT, 0, "at least 12 bytes" },
    { "role", SHAPE_TEXT, 0, .words = web_role_words },
    { "enabled", SHAPE_BOOL },
    { NULL },
};
const Shape user_change_body = { "UserChange", change_fields };

bool web_user_name_check(const char *name, GError **error)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isalnum(name[i]) && (i == 0 || !strchr("._@-", name[i])))
            len = 0;
    if (len > 0 && len <= 64)
        return true;
    g_set_error(
        error, BS_ERROR, BS_ERROR_USAGE,
        "/name: must be 1 to 64 letters, digits or . _ @ -, and begin with one of the first");
    return false;
}

static json_t *user_json(const UserRow *user)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:i}", "name", user->name, "role", user->role, "enabled",
                     (int)user->enabled, "created_at", web_time(user->created_at), "version",
                     (int)user->version);
}

bool web_list_users(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GArray) users = NULL;
    json_t *items;

    if (!catalog_users(call->catalog, &users, error))
        return false;
    items = json_array();
    for (guint i = 0; i < users->len; i++)
        json_array_append_new(items, user_json(&g_array_index(users, UserRow, i)));
    web_answer_json(answer, 200, web_page(items, NULL));
    return true;
}

static void answer_user(const UserRow *user, unsigned status, WebAnswer *answer)
{
    web_answer_json(answer, status, user_json(user));
    web_etag(answer, user->version);
}

bool web_create_user(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *name = shape_text(call->body, "name");
    const char *password = shape_text(call->body, "password");
    g_auto(UserRow) user = { .name = g_strdup(name),
                             .role = g_strdup(shape_text(call->body, "role")),
                             .enabled = true };

    if (!web_user_name_check(name, error) || !password_check(name, password, error) ||
        !password_hash(password, &user.password, error) ||
        !catalog_user_put(call->catalog, &user, 0, error))
        return false;
    answer_user(&user, 201, answer);
    return true;
}

static bool is_good_admin(const UserRow *user)
{
    return user->enabled && strcmp(user->role, "admin") == 0;
}

/* Without one nobody could ever make another. */
static bool check_last_admin(WebCall *call, const char *but, GError **error)
{
    g_autoptr(GArray) users = NULL;

    if (!catalog_users(call->catalog, &users, error))
        return false;
    for (guint i = 0; i < users->len; i++) {
        const UserRow *user = &g_array_index(users, UserRow, i);

        if (is_good_admin(user) && strcmp(user->name, but) != 0)
            return true;
    }
    return web_refuse(error, 409, "last-admin", "'%s' is the last administrator", but);
}

static bool take_change(WebCall *call, UserRow *user, GError **error)
{
    const char *password = shape_text(call->body, "password");
    const char *role = shape_text(call->body, "role");

    if (role) {
        g_free(user->role);
        user->role = g_strdup(role);
    }
    user->enabled = shape_bool(call->body, "enabled", user->enabled);
    if (!password)
        return true;
    g_clear_pointer(&user->password, g_free);
    return password_check(user->name, password, error) &&
           password_hash(password, &user->password, error);
}

bool web_update_user(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(UserRow) user = { 0 };
    bool was_admin;

    if (!catalog_user_get(call->catalog, call->params[0], &user, error) ||
        !web_match(call, user.version, error))
        return false;
    was_admin = is_good_admin(&user);
    // what he was allowed before is worth nothing now, and a password may have been stolen
    if (!take_change(call, &user, error) ||
        (was_admin && !is_good_admin(&user) && !check_last_admin(call, user.name, error)) ||
        !catalog_user_put(call->catalog, &user, user.version, error) ||
        !catalog_sessions_delete(call->catalog, user.name, error))
        return false;
    answer_user(&user, 200, answer);
    return true;
}

bool web_delete_user(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(UserRow) user = { 0 };

    if (!catalog_user_get(call->catalog, call->params[0], &user, error) ||
        !web_match(call, user.version, error) ||
        (is_good_admin(&user) && !check_last_admin(call, user.name, error)) ||
        !catalog_user_delete(call->catalog, user.name, user.version, error))
        return false;
    web_answer_empty(answer, 204);
    return true;
}
