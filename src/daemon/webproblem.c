/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webproblem.h"

#include "base/error.h"
#include <microhttpd.h>
#include <string.h>

typedef struct {
    const char *word;
} WebProblemPrivate;

static void web_problem_private_init(WebProblemPrivate *extra)
{
    extra->word = "failed";
}

static void web_problem_private_copy(const WebProblemPrivate *from, WebProblemPrivate *to)
{
    *to = *from;
}

static void web_problem_private_clear(G_GNUC_UNUSED WebProblemPrivate *extra)
{
}

G_DEFINE_EXTENDED_ERROR(WebProblem, web_problem)

/* As base/error.c: GLib registers a domain unguarded, so that is done before there are threads. */
__attribute__((constructor)) static void register_domain(void)
{
    (void)web_problem_quark();
}

bool web_refuse(GError **error, unsigned status, const char *word, const char *format, ...)
{
    va_list args;
    GError *made;

    va_start(args, format);
    made = g_error_new_valist(WEB_PROBLEM, (int)status, format, args);
    va_end(args);
    web_problem_get_private(made)->word = word;
    g_propagate_error(error, made);
    return false;
}

/* What the codes of the house mean to one who asks by HTTP. */
static const struct {
    int code;
    unsigned status;
    const char *word;
} meanings[] = {
    { BS_ERROR_TRANSIENT, 503, "try-again" },
    { BS_ERROR_NOT_FOUND, 404, "not-found" },
    { BS_ERROR_EXISTS, 409, "exists" },
    { BS_ERROR_DENIED, 403, "denied" },
    { BS_ERROR_NO_SPACE, 507, "no-space" },
    { BS_ERROR_CANCELLED, 503, "stopping" },
    { BS_ERROR_USAGE, 400, "invalid" },
    { BS_ERROR_UNSUPPORTED, 501, "unsupported" },
    { BS_ERROR_LOCKED, 423, "locked" },
    { BS_ERROR_CONFIG, 422, "invalid" },
    { BS_ERROR_UNREACHABLE, 502, "unreachable" },
    { BS_ERROR_NOT_EMPTY, 409, "not-empty" },
    { BS_ERROR_WAL_GAP, 409, "out-of-reach" },
    { BS_ERROR_PROTECTED, 423, "protected" },
    { BS_ERROR_GUARD, 409, "guard" },
    { BS_ERROR_LOST, 409, "ended" },
};

static void meaning(const GError *error, unsigned *ret_status, const char **ret_word)
{
    *ret_status = 500;
    *ret_word = "failed";
    if (error->domain == WEB_PROBLEM) {
        *ret_status = (unsigned)error->code;
        *ret_word = web_problem_get_private(error)->word;
        return;
    }
    for (guint i = 0; error->domain == BS_ERROR && i < G_N_ELEMENTS(meanings); i++) {
        if (meanings[i].code == error->code) {
            *ret_status = meanings[i].status;
            *ret_word = meanings[i].word;
        }
    }
}

unsigned web_problem_status(const GError *error)
{
    unsigned status;
    const char *word;

    meaning(error, &status, &word);
    return status;
}

void web_problem_answer(WebAnswer *answer, const GError *error, const char *request)
{
    unsigned status;
    const char *word;
    g_autofree char *type = NULL, *detail = NULL, *text = NULL;
    json_t *problem;

    meaning(error, &status, &word);
    type = g_strconcat("urn:backstay:problem:", word, NULL);
    // a client can do nothing about these, and paths of this machine are none of his business
    detail = status == 500 ? g_strdup("the server failed; its log says why")
                           : g_utf8_make_valid(error->message, -1);
    problem = json_pack("{s:s, s:s, s:i, s:s, s:i, s:s}", "type", type, "title",
                        MHD_get_reason_phrase_for(status), "status", (int)status, "detail", detail,
                        "code", bs_error_exit_status(error), "request", request);
    text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    g_ptr_array_set_size(answer->headers, 0);
    g_clear_pointer(&answer->pipe, web_pipe_unref);
    web_answer_text(answer, status, "application/problem+json", text);
    if (status == 429 || status == 503)
        web_answer_header(answer, "Retry-After", status == 429 ? "12" : "5");
}
