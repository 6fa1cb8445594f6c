/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/weblogin.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/webaccess.h"
#include "daemon/webadmin.h"
#include "daemon/webaudit.h"
#include "daemon/webpassword.h"
#include "daemon/webproblem.h"
#include "daemon/webtoken.h"
#include "daemon/webusers.h"
#include "state/settings.h"
#include "state/users.h"
#include <string.h>

#define SETUP "setup-token" /* of the settings */

/* ---- shapes ---- */

static const ShapeField setup_fields[] = {
    { "token", SHAPE_TEXT, SHAPE_REQUIRED, "printed when the daemon was started first" },
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, .min = 1, .max = 64 },
    { "password", SHAPE_TEXT, SHAPE_REQUIRED, "at least 12 bytes" },
    { NULL },
};
const Shape setup_body = { "Setup", setup_fields };
static const ShapeField login_fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED },
    { "password", SHAPE_TEXT, SHAPE_REQUIRED },
    { NULL },
};
const Shape login_body = { "Login", login_fields };
static const ShapeField confirm_fields[] = { { "password", SHAPE_TEXT, SHAPE_REQUIRED }, { NULL } };
const Shape confirm_body = { "Confirmation", confirm_fields };
static const ShapeField password_fields[] = {
    { "current", SHAPE_TEXT, SHAPE_REQUIRED },
    { "password", SHAPE_TEXT, SHAPE_REQUIRED, "the new one, at least 12 bytes" },
    { NULL },
};
const Shape password_body = { "PasswordChange", password_fields };
static const ShapeField session_fields[] = {
    { "user", SHAPE_TEXT, SHAPE_REQUIRED },
    { "role", SHAPE_TEXT, SHAPE_REQUIRED, .words = web_role_words },
    { "csrf_token", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULL, "for X-CSRF-Token; null: by a token" },
    { "fresh_until", SHAPE_TIME, SHAPE_REQUIRED | SHAPE_NULL,
      "until then what needs a fresh login works" },
    { NULL },
};
const Shape session_shape = { "Session", session_fields };

/* ---- sessions ---- */

static void set_cookie(const Web *web, WebAnswer *answer, const char *value, int64_t age_s)
{
    g_autofree char *cookie =
        g_strdup_printf("%s=%s; Path=/; Max-Age=%" G_GINT64_FORMAT "; HttpOnly; SameSite=Strict%s",
                        web_cookie_name(web), value, age_s, web->secure ? "; Secure" : "");

    web_answer_header(answer, "Set-Cookie", cookie);
}

static void answer_session(WebCall *call, WebAnswer *answer)
{
    const WebIdentity *who = &call->who;

    web_answer_json(answer, 200,
                    json_pack("{s:s, s:o, s:o, s:o}", "user", who->user, "role",
                              web_text(web_role_name(who->role)), "csrf_token", web_text(who->csrf),
                              "fresh_until",
                              web_time(who->login_at ? who->login_at + SESSION_FRESH_MS : 0)));
}

/* A new session in place of the one that asks, if there is: an id from before a login is worth
 * nothing after it. */
static bool begin_session(WebCall *call, const UserRow *user, WebAnswer *answer, GError **error)
{
    g_autoptr(Token) token = token_new("");
    g_autofree char *old = web_request_cookie(call->request, web_cookie_name(call->web));
    g_autofree char *old_hash = old ? token_hash(old) : NULL;
    const int64_t now = clock_now_ms();
    SessionRow session = {
        .hash = token->hash,
        .user = user->name,
        .created_at = now,
        .login_at = now,
        .seen_at = now,
        .address = call->request->peer,
    };
    WebSettings settings;

    if (!web_settings(call, &settings, error))
        return false;
    session.expires_at = now + settings.whole_ms;
    if (old_hash && !catalog_session_delete(call->catalog, old_hash, error))
        return false;
    if (!catalog_session_put(call->catalog, &session, error))
        return false;
    web_identity_clear(&call->who);
    call->who = (WebIdentity){ .user = g_strdup(user->name),
                               .session = g_strdup(token->hash),
                               .csrf = token_derive(token->text, "csrf"),
                               .login_at = now };
    (void)web_role_parse(user->role, &call->who.role);
    set_cookie(call->web, answer, token->text, settings.whole_ms / 1000);
    answer_session(call, answer);
    return true;
}

/* ---- logins ---- */

static bool find_user(WebCall *call, const char *name, UserRow *ret_user, bool *ret_known,
                      GError **error)
{
    g_autoptr(GError) failure = NULL;

    *ret_known = catalog_user_get(call->catalog, name, ret_user, &failure);
    if (*ret_known || g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* Whether it is his password. Says and takes the same for a name that nobody has. */
static bool check_password(WebCall *call, const char *name, const char *password, UserRow *ret_user,
                           GError **error)
{
    WebThrottle *throttle = call->web->throttle;
    const char *peer = call->request->peer;
    bool known, fits = false;

    if (!web_throttle_take(throttle, name, peer))
        return web_refuse(error, 429, "throttled", "too many passwords were tried; wait a little");
    if (!find_user(call, name, ret_user, &known, error) ||
        !password_verify(password, known && ret_user->enabled ? ret_user->password : NULL, &fits,
                         error))
        return false;
    if (!fits) {
        log_warn("a login was refused", "peer", peer, "request", call->request->id, NULL);
        return web_refuse(error, 401, "login", "the name or the password is wrong");
    }
    web_throttle_give_back(throttle, name, peer);
    return true;
}

bool web_login(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *name = shape_text(call->body, "name");
    g_auto(UserRow) user = { 0 };

    return check_password(call, name, shape_text(call->body, "password"), &user, error) &&
           web_audit(call, user.name, "login", NULL, error) &&
           begin_session(call, &user, answer, error);
}

bool web_confirm(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(UserRow) user = { 0 };

    return check_password(call, call->who.user, shape_text(call->body, "password"), &user, error) &&
           begin_session(call, &user, answer, error);
}

bool web_logout(WebCall *call, WebAnswer *answer, GError **error)
{
    if (!catalog_session_delete(call->catalog, call->who.session, error))
        return false;
    set_cookie(call->web, answer, "", 0);
    web_answer_empty(answer, 204);
    return true;
}

bool web_get_session(WebCall *call, WebAnswer *answer, G_GNUC_UNUSED GError **error)
{
    answer_session(call, answer);
    return true;
}

bool web_change_password(WebCall *call, WebAnswer *answer, GError **error)
{
    g_auto(UserRow) user = { 0 };
    g_autofree char *hash = NULL;
    const char *password = shape_text(call->body, "password");

    if (!check_password(call, call->who.user, shape_text(call->body, "current"), &user, error) ||
        !password_check(user.name, password, error) || !password_hash(password, &hash, error))
        return false;
    g_free(user.password);
    user.password = g_steal_pointer(&hash);
    // whoever knew the old one has to know the new one
    return catalog_user_put(call->catalog, &user, user.version, error) &&
           catalog_sessions_delete(call->catalog, user.name, error) &&
           begin_session(call, &user, answer, error);
}

/* ---- the first one ---- */

/* After `backstay adopt` there are users, but nobody who can log in. */
static bool has_admin(Catalog *catalog, bool *ret_has, GError **error)
{
    g_autoptr(GArray) users = NULL;

    *ret_has = false;
    if (!catalog_users(catalog, &users, error))
        return false;
    for (guint i = 0; i < users->len; i++) {
        const UserRow *user = &g_array_index(users, UserRow, i);

        *ret_has |=
            user->password && user->enabled && strcmp(user->role, web_role_name(ROLE_ADMIN)) == 0;
    }
    return true;
}

bool web_setup_prepare(Catalog *catalog, char **ret_text, GError **error)
{
    g_autoptr(Token) token = token_new("setup_");
    g_autoptr(GError) failure = NULL;
    json_t *value = NULL;
    unsigned version = 0;
    bool has, put;

    *ret_text = NULL;
    if (!has_admin(catalog, &has, error))
        return false;
    if (has)
        return true;
    if (!catalog_setting_get(catalog, SETUP, &value, &version, &failure) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    json_decref(value);
    value = json_pack("{s:s, s:I}", "hash", token->hash, "expires_at",
                      (json_int_t)(clock_now_ms() + SETUP_MS));
    put = catalog_setting_put(catalog, SETUP, value, version, NULL, error);
    json_decref(value);
    if (put)
        *ret_text = g_strdup(token->text);
    return put;
}

static bool refuse_setup(GError **error)
{
    return web_refuse(
        error, 403, "setup",
        "the setup token is wrong, used or older than an hour; start the daemon again "
        "for a new one, which it makes as long as no administrator can log in");
}

/* Once: whoever is second finds another version. */
static bool use_setup_token(WebCall *call, GError **error)
{
    g_autoptr(GError) failure = NULL;
    json_t *value = NULL, *used = json_object();
    unsigned version = 0;
    bool good = catalog_setting_get(call->catalog, SETUP, &value, &version, &failure) &&
                token_fits(shape_text(call->body, "token"),
                           shape_text(value, "hash") ? shape_text(value, "hash") : "") &&
                clock_now_ms() < shape_int(value, "expires_at", 0) &&
                catalog_setting_put(call->catalog, SETUP, used, version, NULL, &failure);

    json_decref(value);
    json_decref(used);
    if (good)
        return true;
    if (failure && !g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_STALE)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return refuse_setup(error);
}

/* A new one, or one that was adopted; version 0: it is new. */
static bool setup_user(WebCall *call, const char *name, UserRow *ret_user, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (!catalog_user_get(call->catalog, name, ret_user, &failure)) {
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        *ret_user = (UserRow){ .name = g_strdup(name) };
    }
    g_free(ret_user->role);
    g_free(ret_user->password);
    ret_user->role = g_strdup(web_role_name(ROLE_ADMIN));
    ret_user->password = NULL;
    ret_user->enabled = true;
    return true;
}

bool web_setup(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *name = shape_text(call->body, "name");
    const char *password = shape_text(call->body, "password");
    g_auto(UserRow) user = { 0 };
    bool has;

    if (!web_throttle_take(call->web->throttle, "", call->request->peer))
        return web_refuse(error, 429, "throttled", "too many tokens were tried; wait a little");
    if (!has_admin(call->catalog, &has, error))
        return false;
    if (has)
        return refuse_setup(error);
    if (!web_user_name_check(name, error) || !setup_user(call, name, &user, error) ||
        !password_check(name, password, error) || !password_hash(password, &user.password, error) ||
        !use_setup_token(call, error))
        return false;
    web_throttle_give_back(call->web->throttle, "", call->request->peer);
    return web_audit(call, name, "setup", NULL, error) &&
           catalog_user_put(call->catalog, &user, user.version, error) &&
           begin_session(call, &user, answer, error);
}
