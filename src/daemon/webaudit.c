/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webaudit.h"

#include "base/log.h"
#include "daemon/webproblem.h"
#include "state/audit.h"

static json_t *without_secrets(const json_t *body)
{
    static const char *const secrets[] = { "password", "current", "token" };
    json_t *copy = body ? json_deep_copy(body) : NULL;

    for (guint i = 0; copy && i < G_N_ELEMENTS(secrets); i++)
        json_object_del(copy, secrets[i]);
    return copy;
}

bool web_audit(const WebCall *call, const char *user, const char *action, json_t *detail,
               GError **error)
{
    json_t *whole = detail ? detail : json_object();
    bool written;

    json_object_set_new(whole, "request", json_string(call->request->id));
    json_object_set_new(whole, "peer", json_string(call->request->peer));
    if (call->who.token)
        json_object_set_new(whole, "token", json_string(call->who.token));
    written = catalog_audit(call->catalog, user, action, whole, error);
    json_decref(whole);
    return written;
}

bool web_audit_begin(const WebCall *call, GError **error)
{
    json_t *detail, *body;

    if (!call->who.user)
        return true;
    detail = json_pack("{s:s, s:s}", "method", call->route->method, "path", call->request->path);
    body = without_secrets(call->body);
    if (body)
        json_object_set_new(detail, "body", body);
    return web_audit(call, call->who.user, call->route->id, detail, error);
}

void web_audit_failed(const WebCall *call, const GError *failure)
{
    g_autofree char *action = g_strconcat(call->route->id, ".failed", NULL);
    g_autoptr(GError) error = NULL;
    json_t *detail = json_pack("{s:i}", "status", (int)web_problem_status(failure));

    if (!web_audit(call, call->who.user, action, detail, &error))
        log_error("the audit line of a failure is missing", "action", action, "error",
                  error->message, NULL);
}
