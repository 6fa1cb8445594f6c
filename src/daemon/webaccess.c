/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webaccess.h"

#include "base/clock.h"
#include "base/error.h"
#include "daemon/webadmin.h"
#include "daemon/webproblem.h"
#include "daemon/webtoken.h"
#include "state/users.h"
#include <string.h>

#define TOUCH_MS 60000 /* how exactly it is known when a session was used last */

const char *web_cookie_name(const Web *web)
{
    return web->secure ? "__Host-backstay" : "backstay";
}

/* ---- was it meant for us ---- */

static bool is_own_name(const char *host)
{
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    g_autofree char *name = g_strndup(host, len);

    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (g_str_has_prefix(name, "127.") && strspn(name, "0123456789.") == len);
}

bool web_access_host(const WebCall *call, GError **error)
{
    const Web *web = call->web;
    const char *host = web_request_header(call->request, "host");

    // with TLS the certificate has said so already
    if (host && (!web->loopback || is_own_name(host) ||
                 (web->host && g_ascii_strcasecmp(web->host, host) == 0)))
        return true;
    return web_refuse(error, 421, "host", "the server has another name; see server.base_url");
}

/* Fetch standard, "Origin header": browsers send it with everything that changes something. */
static bool check_origin(const WebCall *call, GError **error)
{
    const WebRequest *request = call->request;
    const char *origin = web_request_header(request, "origin");
    const char *host = web_request_header(request, "host");
    const char *site = web_request_header(request, "sec-fetch-site");
    const char *after = origin ? strstr(origin, "://") : NULL;

    if (g_hash_table_contains(request->headers, "origin") &&
        (!after || !host || g_ascii_strcasecmp(after + 3, host) != 0))
        return web_refuse(error, 403, "origin", "the request comes from another site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return web_refuse(error, 403, "origin", "the request comes from another site");
    return true;
}

/* ---- who asks ---- */

/* The role of an account that is there and not disabled. */
static bool take_user(WebCall *call, const char *name, WebRole most, bool *ret_known,
                      GError **error)
{
    g_auto(UserRow) user = { 0 };
    g_autoptr(GError) failure = NULL;
    WebRole role;

    *ret_known = false;
    if (!catalog_user_get(call->catalog, name, &user, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!user.enabled || !web_role_parse(user.role, &role))
        return true;
    call->who.user = g_strdup(user.name);
    call->who.role = MIN(role, most);
    *ret_known = true;
    return true;
}

static bool by_session(WebCall *call, const char *cookie, bool *ret_known, GError **error)
{
    g_auto(SessionRow) session = { 0 };
    g_autoptr(GError) failure = NULL;
    char id[TOKEN_ID_LEN + 1];
    g_autofree char *hash = NULL;
    int64_t now = clock_now_ms();
    WebSettings settings;

    *ret_known = false;
    if (!token_id("", cookie, id))
        return true;
    if (!web_settings(call, &settings, error))
        return false;
    hash = token_hash(cookie);
    if (!catalog_session_get(call->catalog, hash, &session, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    // a clock that was set back makes nobody's session longer
    if (!token_fits(cookie, session.hash) || now >= session.expires_at ||
        now - session.seen_at >= settings.idle_ms || now < session.created_at - TOUCH_MS)
        return catalog_session_delete(call->catalog, hash, error);
    if (!take_user(call, session.user, ROLE_ADMIN, ret_known, error))
        return false;
    if (!*ret_known)
        return true;
    call->who.session = g_steal_pointer(&hash);
    call->who.csrf = token_derive(cookie, "csrf");
    call->who.login_at = session.login_at;
    return now - session.seen_at < TOUCH_MS ||
           catalog_session_touch(call->catalog, call->who.session, now, error);
}

static bool by_token(WebCall *call, const char *text, bool *ret_known, GError **error)
{
    g_auto(TokenRow) token = { 0 };
    g_autoptr(GError) failure = NULL;
    g_autofree char *hash = NULL;
    char id[TOKEN_ID_LEN + 1];
    WebRole most = ROLE_VIEWER;
    const int64_t now = clock_now_ms();

    *ret_known = false;
    if (!token_id(API_TOKEN_PREFIX, text, id))
        return true;
    hash = token_hash(text);
    if (!catalog_token_find(call->catalog, hash, now, &token, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    call->who.metrics = strcmp(token.scope, "metrics") == 0;
    if (!token_fits(text, token.hash) ||
        (!call->who.metrics && !web_role_parse(token.scope, &most)))
        return true;
    if (!take_user(call, token.user, call->who.metrics ? ROLE_NONE : most, ret_known, error))
        return false;
    call->who.token = g_strdup(token.id);
    return now - token.used_at < TOUCH_MS ||
           catalog_token_used(call->catalog, token.id, now, error);
}

static bool identify(WebCall *call, GError **error)
{
    const char *authorization = web_request_header(call->request, "authorization");
    g_autofree char *cookie = web_request_cookie(call->request, web_cookie_name(call->web));
    bool known = false;

    // of two proofs neither is guessed to be the one that was meant
    if (authorization && g_ascii_strncasecmp(authorization, "Bearer ", 7) == 0)
        return by_token(call, authorization + 7, &known, error);
    return !cookie || by_session(call, cookie, &known, error);
}

/* ---- what may he ask ---- */

static bool check_role(const WebCall *call, GError **error)
{
    const WebRoute *route = call->route;
    const WebIdentity *who = &call->who;

    if (who->metrics && (route->flags & ROUTE_LOCAL))
        return true;
    if (who->role < route->role)
        return web_refuse(error, 403, "role", "this needs the role %s", web_role_name(route->role));
    if ((route->flags & ROUTE_SESSION) && !who->session)
        return web_refuse(error, 403, "session", "this needs a login; a token is not enough");
    return true;
}

bool web_access_fresh(const WebCall *call, GError **error)
{
    const WebIdentity *who = &call->who;

    return (who->login_at != 0 && clock_now_ms() - who->login_at < SESSION_FRESH_MS) ||
           web_refuse(error, 403, "fresh-login",
                      "this needs a password given within the last ten minutes; POST "
                      "/api/session/confirm");
}

static bool check_change(const WebCall *call, GError **error)
{
    const WebIdentity *who = &call->who;

    if (strcmp(call->route->method, "GET") == 0)
        return true;
    if (!check_origin(call, error))
        return false;
    if (who->session && !token_equal(web_request_header(call->request, "x-csrf-token"), who->csrf))
        return web_refuse(error, 403, "csrf",
                          "X-CSRF-Token is missing or not that of this session");
    return !(call->route->flags & ROUTE_FRESH) || web_access_fresh(call, error);
}

bool web_access(WebCall *call, GError **error)
{
    const WebRoute *route = call->route;

    if (route->role == ROLE_NONE)
        return check_change(call, error);
    if ((route->flags & ROUTE_LOCAL) && call->request->loopback)
        return true;
    if (!identify(call, error))
        return false;
    if (!call->who.user)
        return web_refuse(error, 401, "login", "this needs a login or a token");
    return check_role(call, error) && check_change(call, error);
}
