/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webdispatch.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/hash.h"
#include "daemon/webaccess.h"
#include "daemon/webaudit.h"
#include "daemon/webonce.h"
#include "daemon/webproblem.h"
#include <string.h>

/* ---- before the handler ---- */

static bool find_route(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autofree char *allow = NULL;

    call->route = web_route_find(call->web->routes, call->request, call->params, &allow);
    if (call->route)
        return true;
    if (!allow)
        return web_refuse(error, 404, "not-found", "there is nothing of that name");
    web_answer_header(answer, "Allow", allow);
    return web_refuse(error, 405, "method", "the method is none of %s", allow);
}

static const ShapeField *find_parameter(const WebRoute *route, const char *name)
{
    for (const ShapeField *field = route->query; field && field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

static bool check_query(const WebCall *call, GError **error)
{
    GHashTableIter all;
    gpointer name, value;

    g_hash_table_iter_init(&all, call->request->query);
    while (g_hash_table_iter_next(&all, &name, &value)) {
        const ShapeField *field = find_parameter(call->route, name);

        if (!field)
            return web_refuse(error, 400, "query", "the parameter '%s' is not known here",
                              (const char *)name);
        if (!shape_check_text(field, value, error))
            return false;
    }
    for (const ShapeField *field = call->route->query; field && field->name; field++)
        if ((field->flags & SHAPE_REQUIRED) && !web_query(call, field->name))
            return web_refuse(error, 400, "query", "the parameter '%s' is missing", field->name);
    return true;
}

static bool read_body(WebCall *call, GError **error)
{
    const WebRequest *request = call->request;
    const char *type = web_request_header(request, "content-type");

    if (call->route->flags & ROUTE_UPLOAD)
        return g_strcmp0(type, "application/octet-stream") == 0 ||
               web_refuse(error, 415, "type", "the body must be application/octet-stream");
    if (!call->route->body)
        return request->body->len == 0 ||
               web_refuse(error, 400, "body", "nothing in a body is looked for here");
    if (!type || g_ascii_strncasecmp(type, "application/json", 16) != 0 ||
        (type[16] && !strchr("; ", type[16])))
        return web_refuse(error, 415, "type", "the body must be application/json");
    return shape_parse(call->route->body, request->body->data, request->body->len, &call->body,
                       error);
}

static bool check_conditions(const WebCall *call, GError **error)
{
    if ((call->route->flags & ROUTE_IF_MATCH) && !web_request_header(call->request, "if-match"))
        return web_refuse(error, 428, "if-match",
                          "send the ETag of what is to be changed as If-Match");
    return true;
}

static bool changes(const WebCall *call)
{
    return strcmp(call->route->method, "GET") != 0;
}

static bool serve(WebCall *call, WebAnswer *answer, GError **error)
{
    const WebRequest *request = call->request;
    bool done = false;

    if (request->refusal)
        return web_refuse(error, request->refusal_status, "request", "%s", request->refusal);
    if (!web_access_host(call, error) || !find_route(call, answer, error) ||
        !web_access(call, error) || !check_query(call, error) || !read_body(call, error) ||
        !check_conditions(call, error))
        return false;
    if (!changes(call))
        return call->route->handle(call, answer, error);
    // of a file the handler sees to it, for its head is not all of it
    if (call->route->flags & ROUTE_UPLOAD)
        return web_audit_begin(call, error) && call->route->handle(call, answer, error);
    if (!web_once_begin(call, answer, &done, error))
        return false;
    if (done)
        return true;
    // before it is done, so that nothing is done that nobody can be asked about
    if (!web_audit_begin(call, error) || !call->route->handle(call, answer, error)) {
        web_once_forget(call);
        return false;
    }
    return web_once_end(call, answer, error);
}

/* What follows a head that was let in: by the same route, for the same one. */
static bool serve_rest(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autofree char *allow = NULL;

    call->route = web_route_find(call->web->routes, call->request, call->params, &allow);
    return call->route->handle(call, answer, error);
}

bool web_dispatch_streams(void *user, const WebRequest *request)
{
    const Web *web = user;
    const char *params[WEB_PARAMS_MAX];
    g_autofree char *allow = NULL;
    const WebRoute *route = web_route_find(web->routes, request, params, &allow);

    return route && route->flags & ROUTE_UPLOAD;
}

/* ---- after it ---- */

static void set_etag(WebAnswer *answer)
{
    IdText text;
    Id id;
    gsize len;
    const void *data = g_bytes_get_data(answer->body, &len);
    g_autofree char *tag = NULL;

    hash_bytes(data, len, &id);
    text = id_hex(&id);
    tag = g_strdup_printf("\"%.32s\"", text.text);
    web_answer_header(answer, "ETag", tag);
}

/* RFC 9110, section 13.1.2. */
static void answer_condition(const WebCall *call, WebAnswer *answer)
{
    const char *none = web_request_header(call->request, "if-none-match");
    const char *tag;

    if (changes(call) || answer->status != 200 || !answer->body)
        return;
    if (!web_answer_find(answer, "ETag"))
        set_etag(answer);
    tag = web_answer_find(answer, "ETag");
    if (none && (strcmp(none, "*") == 0 || strstr(none, tag)))
        web_answer_empty(answer, 304);
}

/* Nothing of what we answer is a page; what a browser makes of it nevertheless is harmless. */
static void harden(const Web *web, WebAnswer *answer)
{
    static const char *const headers[][2] = {
        { "Content-Security-Policy",
          "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'" },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(headers); i++)
        web_answer_header(answer, headers[i][0], headers[i][1]);
    // what one who is logged in has seen is not kept for the next one
    web_answer_header(answer, "Cache-Control", "no-store");
    if (web->secure)
        web_answer_header(answer, "Strict-Transport-Security", "max-age=31536000");
}

static void tell_log(const WebCall *call, const WebAnswer *answer, const GError *error,
                     int64_t since_ms)
{
    g_autofree char *status = g_strdup_printf("%u", answer->status);
    g_autofree char *ms = g_strdup_printf("%" G_GINT64_FORMAT, clock_monotonic_ms() - since_ms);
    const WebRequest *request = call->request;
    const char *user = call->who.user ? call->who.user : "";

    if (answer->status >= 500)
        log_error("request failed", "request", request->id, "method", request->method, "path",
                  request->path, "status", status, "user", user, "error",
                  error ? error->message : "", NULL);
    else
        log_info("request", "request", request->id, "method", request->method, "path",
                 request->path, "status", status, "user", user, "peer", request->peer, "ms", ms,
                 NULL);
}

static void answer_problem(WebCall *call, WebAnswer *answer, const GError *error)
{
    g_autofree char *allow = g_strdup(web_answer_find(answer, "Allow"));

    if (call->route && changes(call) && call->who.user)
        web_audit_failed(call, error);
    web_problem_answer(answer, error, call->request->id);
    if (allow)
        web_answer_header(answer, "Allow", allow);
    if (answer->status == 401)
        web_answer_header(answer, "WWW-Authenticate", "Bearer realm=\"backstay\"");
}

/* This is the answer. */
static void conclude(WebCall *call, WebAnswer *answer, const GError *error, int64_t since_ms)
{
    web_answer_end_intake(answer);
    if (error)
        answer_problem(call, answer, error);
    else
        answer_condition(call, answer);
    harden(call->web, answer);
    web_answer_header(answer, "X-Request-Id", call->request->id);
    tell_log(call, answer, error, since_ms);
}

void web_dispatch(void *user, unsigned worker, WebRequest *request, WebAnswer *answer)
{
    Web *web = user;
    WebCall call = { .web = web, .catalog = web->catalogs[worker], .request = request };
    g_autoptr(GError) error = NULL;
    int64_t since_ms = clock_monotonic_ms();
    const bool first = request->phase == WEB_PHASE_ALL || request->phase == WEB_PHASE_HEAD;
    const bool ok = first ? serve(&call, answer, &error) : serve_rest(&call, answer, &error);

    if (!ok || !answer->intake)
        conclude(&call, answer, error, since_ms);
    json_decref(call.body);
    web_identity_clear(&call.who);
}
