/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webcall.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/rfc3339.h"
#include "daemon/ask.h"
#include "daemon/webproblem.h"
#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000

void web_identity_clear(WebIdentity *who)
{
    g_free(who->user);
    g_free(who->session);
    g_free(who->csrf);
    g_free(who->token);
    memset(who, 0, sizeof *who);
}

const char *web_query(const WebCall *call, const char *name)
{
    return g_hash_table_lookup(call->request->query, name);
}

int64_t web_query_int(const WebCall *call, const char *name, int64_t otherwise)
{
    const char *value = web_query(call, name);

    return value ? g_ascii_strtoll(value, NULL, 10) : otherwise;
}

json_t *web_time(int64_t ms)
{
    char text[RFC3339_MAX];
    const Timestamp time = { ms / 1000, (uint32_t)(ms % 1000) * 1000000 };

    if (ms <= 0)
        return json_null();
    (void)rfc3339_format(time, text);
    return json_string(text);
}

json_t *web_text(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

    return valid ? json_string(valid) : json_null();
}

bool web_ask(WebCall *call, json_t *request, json_t **ret_answer, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (ask_scheduler(call->web->control, request, ASK_MS, ret_answer, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNREACHABLE))
        return web_refuse(error, 503, "scheduler", "the scheduler does not answer; try again");
    // what has no meaning of its own is no failure of this server either
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED))
        return web_refuse(error, 409, "refused", "%s", failure->message);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool web_order(WebCall *call, json_t *request, WebAnswer *answer, GError **error)
{
    json_t *reply = NULL;

    if (!web_ask(call, request, &reply, error))
        return false;
    web_answer_json(
        answer, 202,
        json_pack("{s:o}", "run", web_text(json_string_value(json_object_get(reply, "run")))));
    json_decref(reply);
    return true;
}

bool web_tell(WebCall *call, json_t *request)
{
    g_autoptr(GError) failure = NULL;
    json_t *answer = NULL;

    if (ask_scheduler(call->web->control, request, ASK_MS, &answer, &failure)) {
        json_decref(answer);
        return true;
    }
    log_warn("the scheduler was not told of a change", "error", failure->message, NULL);
    return false;
}

void web_etag(WebAnswer *answer, unsigned version)
{
    g_autofree char *tag = g_strdup_printf("\"v%u\"", version);

    web_answer_header(answer, "ETag", tag);
}

bool web_match(const WebCall *call, unsigned version, GError **error)
{
    const char *given = web_request_header(call->request, "if-match");
    g_autofree char *tag = g_strdup_printf("\"v%u\"", version);

    if (given && (strcmp(given, tag) == 0 || strcmp(given, "*") == 0))
        return true;
    if (!given && !(call->route->flags & ROUTE_IF_MATCH))
        return true;
    return web_refuse(error, 412, "stale",
                      "it was changed meanwhile; read it again, and send its ETag as If-Match");
}

json_t *web_page(json_t *items, const char *next)
{
    return json_pack("{s:o, s:o}", "items", items, "next", web_text(next));
}
