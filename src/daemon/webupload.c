/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webupload.h"

#include "base/error.h"
#include "daemon/uploads.h"
#include "daemon/webonce.h"
#include "daemon/webproblem.h"

typedef struct {
    Web *web;
    Upload *upload;
    json_t *order;
    char *user; /* who was let in */
} Intake;

static void intake_free(void *data)
{
    Intake *intake = data;

    upload_free(intake->upload);
    json_decref(intake->order);
    g_free(intake->user);
    (void)atomic_fetch_sub(&intake->web->uploading, 1);
    g_free(intake);
}

/* ---- the head ---- */

static bool check_length(const WebCall *call, GError **error)
{
    const uint64_t max = call->web->configuration->server.upload_max, len = call->request->len;

    if (max == 0)
        return web_refuse(error, 403, "denied",
                          "the configuration allows no uploads: server.upload_max is 0");
    if (len == 0 && !call->request->chunked)
        return web_refuse(error, 411, "length",
                          "the file must come as the body, with its length as Content-Length or in "
                          "chunks");
    if (len > max)
        return web_refuse(error, 413, "too-large",
                          "the file has %" G_GUINT64_FORMAT
                          " bytes, and server.upload_max allows %" G_GUINT64_FORMAT,
                          len, max);
    return true;
}

/* What was imported under this key is answered before it comes again. Who asks first whether to
 * send it hears that at once. */
static bool was_done(WebCall *call, WebAnswer *answer, bool *ret_done, GError **error)
{
    if (!web_once_look(call, answer, ret_done, error))
        return false;
    if (*ret_done && !web_request_header(call->request, "expect"))
        answer->drain = call->web->configuration->server.upload_max;
    return true;
}

static json_t *order_of(const WebCall *call)
{
    json_t *order = json_object();

    for (const ShapeField *field = import_query; field->name; field++) {
        const char *value = web_query(call, field->name);

        if (value)
            json_object_set_new(order, field->name, json_string(value));
    }
    return order;
}

static bool begin(WebCall *call, WebAnswer *answer, GError **error)
{
    json_auto_t *order = order_of(call);
    Intake *intake;
    bool done = false;

    if (!check_length(call, error) || !import_order_check(call->web->configuration, order, error) ||
        !was_done(call, answer, &done, error))
        return false;
    if (done)
        return true;
    intake = g_new0(Intake, 1);
    intake->web = call->web;
    answer->intake = intake; // freed with it, and then the place is free again
    answer->intake_free = intake_free;
    if (atomic_fetch_add(&call->web->uploading, 1) >= WEB_UPLOADS)
        return web_refuse(error, 503, "busy", "%u files are being uploaded; try again later",
                          WEB_UPLOADS);
    intake->order = json_incref(order);
    intake->user = g_strdup(call->who.user);
    intake->upload = upload_begin(call->web->uploads, call->request->len, error);
    return intake->upload != NULL;
}

/* ---- the rest ---- */

static bool append(const WebCall *call, const Intake *intake, GError **error)
{
    const GByteArray *body = call->request->body;
    const uint64_t max = call->web->configuration->server.upload_max;

    if (call->request->taken > max)
        return web_refuse(error, 413, "too-large",
                          "the file has more bytes than server.upload_max allows: "
                          "%" G_GUINT64_FORMAT,
                          max);
    return upload_append(intake->upload, body->data, body->len, error);
}

static bool give(WebCall *call, const Intake *intake, WebAnswer *answer, GError **error)
{
    if (web_order(call,
                  json_pack("{s:s, s:s, s:s, s:O, s:s}", "op", "task", "kind", "import", "upload",
                            upload_part(intake->upload), "order", intake->order, "user",
                            intake->user),
                  answer, error))
        return web_once_end(call, answer, error);
    web_once_forget(call);
    return false;
}

/* A key is taken only now: one that is cut off on its way may be sent again at once. */
static bool finish(WebCall *call, const Intake *intake, WebAnswer *answer, GError **error)
{
    bool done = false;

    if (!append(call, intake, error) || !upload_finish(intake->upload, error) ||
        !web_once_begin(call, answer, &done, error) ||
        (!done && !give(call, intake, answer, error)))
        return false;
    web_answer_end_intake(answer); // the file is not there any more
    return true;
}

static bool cut(const WebRequest *request, GError **error)
{
    g_autofree char *of =
        request->chunked ? g_strdup("") : g_strdup_printf(" of %" G_GUINT64_FORMAT, request->len);

    return web_refuse(error, 400, "cut", "%s after %" G_GUINT64_FORMAT "%s bytes",
                      request->slow ? "the client was slower than server.upload_min_speed"
                                    : "the client went away",
                      request->taken, of);
}

bool web_upload(WebCall *call, WebAnswer *answer, GError **error)
{
    const WebRequest *request = call->request;
    const Intake *intake = answer->intake;

    if (request->phase == WEB_PHASE_HEAD)
        return begin(call, answer, error);
    call->who.user = g_strdup(intake->user);
    switch (request->phase) {
    case WEB_PHASE_PIECE:
        return append(call, intake, error);
    case WEB_PHASE_END:
        return finish(call, intake, answer, error);
    default:
        return cut(request, error);
    }
}
