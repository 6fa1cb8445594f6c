/* SPDX-License-Identifier: Apache-2.0 */
#include "net/awssts.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/hash.h"
#include "codec/rfc3339.h"
#include <string.h>

#define ANSWER_MAX (64u * 1024)
#define FIELD_MAX  (16u * 1024) /* a session token has no promised length; so far below 4 KiB */
#define FORM       "application/x-www-form-urlencoded; charset=utf-8"

/* ---- reading the answer ---- */

enum { ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, EXPIRATION, CODE, MESSAGE, FIELDS };

/* The fields that count are those directly inside <Credentials> or <Error>. */
static const struct {
    const char *parent, *name;
} fields[FIELDS] = {
    [ACCESS_KEY] = { "Credentials", "AccessKeyId" },
    [SECRET_KEY] = { "Credentials", "SecretAccessKey" },
    [SESSION_TOKEN] = { "Credentials", "SessionToken" },
    [EXPIRATION] = { "Credentials", "Expiration" },
    [CODE] = { "Error", "Code" },
    [MESSAGE] = { "Error", "Message" },
};

typedef struct {
    GString *values[FIELDS]; /* NULL: did not come */
} Answer;

static void answer_clear(Answer *answer)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!answer->values[i])
            continue;
        secret_wipe(answer->values[i]->str, answer->values[i]->len);
        g_string_free(g_steal_pointer(&answer->values[i]), TRUE);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static const char *value_of(const Answer *answer, unsigned field)
{
    return answer->values[field] ? answer->values[field]->str : NULL;
}

static void take_text(GMarkupParseContext *context, const char *text, gsize len, gpointer user,
                      GError **error)
{
    Answer *answer = user;
    const GSList *path = g_markup_parse_context_get_element_stack(context);

    if (!path || !path->next)
        return;
    for (size_t i = 0; i < FIELDS; i++) {
        GString **value = &answer->values[i];

        if (strcmp(path->data, fields[i].name) != 0 ||
            strcmp(path->next->data, fields[i].parent) != 0)
            continue;
        if (!*value)
            *value = g_string_sized_new(FIELD_MAX); // does not move, so that no copy stays behind
        if ((*value)->len + len >= FIELD_MAX) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "a field is too long");
            return;
        }
        g_string_append_len(*value, text, (gssize)len);
    }
}

static bool parse_answer(const GByteArray *body, Answer *answer, GError **error)
{
    static const GMarkupParser parser = { .text = take_text };
    g_autoptr(GMarkupParseContext) context =
        g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, answer, NULL);
    // the parser does not take NULL for nothing
    if ((body->len == 0 || g_markup_parse_context_parse(context, (const char *)body->data,
                                                        (gssize)body->len, NULL)) &&
        g_markup_parse_context_end_parse(context, NULL))
        return true;
    // GLib's own text may repeat a piece of what came, and that may be a secret
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the answer is not the XML that was expected");
    return false;
}

static bool is_word(const char *text)
{
    if (!text || !*text)
        return false;
    while (g_ascii_isgraph(*text))
        text++;
    return !*text;
}

static bool take_keys(const Answer *answer, AwsKeys *ret_keys, GError **error)
{
    const char *access = value_of(answer, ACCESS_KEY), *secret = value_of(answer, SECRET_KEY);
    const char *token = value_of(answer, SESSION_TOKEN), *until = value_of(answer, EXPIRATION);
    Timestamp expires;

    if (!is_word(access) || !is_word(secret) || !is_word(token) || !until) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the answer holds no whole set of keys");
        return false;
    }
    if (!rfc3339_parse(until, strlen(until), &expires, error))
        return false;
    aws_keys_set(ret_keys, access, secret, token, expires.sec);
    return true;
}

bool sts_answer_parse(const GByteArray *body, AwsKeys *ret_keys, GError **error)
{
    g_auto(Answer) answer = { 0 };

    return parse_answer(body, &answer, error) && take_keys(&answer, ret_keys, error);
}

/* ---- when it refuses ---- */

/* What a foreign server says, fit for a line. */
static char *tame(const char *text)
{
    char *line = g_utf8_make_valid(text, (gssize)strnlen(text, 300));

    for (char *at = line; *at; at++)
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    return line;
}

static bool is_passing(unsigned status, const char *code)
{
    static const char *const codes[] = { "Throttling", "ThrottlingException",
                                         "RequestLimitExceeded", "IDPCommunicationError",
                                         "SlowDown" };

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (code && strcmp(code, codes[i]) == 0)
            return true;
    return status >= 500 || status == 429;
}

static void set_refusal(const HttpReply *reply, GError **error)
{
    g_auto(Answer) answer = { 0 };
    bool readable = parse_answer(reply->body, &answer, NULL);
    const char *code = readable ? value_of(&answer, CODE) : NULL;
    const char *message = readable ? value_of(&answer, MESSAGE) : NULL;
    bool passing = is_passing(reply->status, code);
    g_autofree char *said = tame(code ? code : "refused");
    g_autofree char *more = tame(message ? message : "");
    GError *refusal = g_error_new(BS_ERROR, passing ? BS_ERROR_TRANSIENT : BS_ERROR_DENIED,
                                  "%s%s%s (HTTP %u)", said, *more ? ": " : "", more, reply->status);

    bs_error_set_wait_ms(refusal, http_retry_after_ms(reply));
    g_propagate_error(error, refusal);
}

/* ---- asking ---- */

static char *endpoint_of(const StsRequest *request)
{
    if (request->endpoint)
        return g_strdup(request->endpoint);
    if (!request->region)
        return g_strdup("https://sts.amazonaws.com");
    return g_strdup_printf("https://sts.%s.amazonaws.com%s", request->region,
                           g_str_has_prefix(request->region, "cn-") ? ".cn" : "");
}

static void append_field(GString *form, const char *name, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    sigv4_escape(form, value, false);
}

static GString *form_of(const StsRequest *request)
{
    GString *form = g_string_new(NULL);

    append_field(form, "Action",
                 request->web_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole");
    append_field(form, "Version", "2011-06-15");
    append_field(form, "RoleArn", request->role_arn);
    append_field(form, "RoleSessionName", request->session);
    append_field(form, "WebIdentityToken", request->web_identity);
    append_field(form, "ExternalId", request->external_id);
    append_field(form, "Policy", request->policy);
    return form;
}

/* "https://host:port/path" without a slash at the end: where the host begins and ends. */
static bool split_endpoint(const char *endpoint, char **ret_host, char **ret_path, GError **error)
{
    const char *host = strstr(endpoint, "://");
    size_t len = host ? strcspn(host + 3, "/") : 0;

    if (len == 0 || strpbrk(endpoint, "?#@ ") ||
        !(g_str_has_prefix(endpoint, "https://") || g_str_has_prefix(endpoint, "http://"))) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: not an endpoint; write it as https://host", endpoint);
        return false;
    }
    *ret_host = g_strndup(host + 3, len);
    // libcurl leaves a port that goes without saying out of the Host header, which is signed
    if (g_str_has_suffix(*ret_host, endpoint[4] == 's' ? ":443" : ":80"))
        *strrchr(*ret_host, ':') = '\0';
    *ret_path = host[3 + len] ? g_strdup(host + 3 + len) : g_strdup("/");
    return true;
}

static bool ask(HttpClient *http, const StsRequest *request, HttpReply *ret_reply, GError **error)
{
    g_autofree char *endpoint = endpoint_of(request), *host = NULL, *path = NULL, *url = NULL;
    g_autoptr(GString) form = form_of(request);
    g_auto(SigV4Signature) signature = { 0 };
    HttpHeader headers[4] = { { "content-type", FORM } };
    HttpRequest post = { .method = "POST",
                         .headers = headers,
                         .n_headers = 1,
                         .body = form->str,
                         .body_len = form->len,
                         .bound = ANSWER_MAX };
    bool ok = split_endpoint(endpoint, &host, &path, error);

    if (ok && request->signer) {
        Id hash;
        IdText payload;

        hash_bytes(form->str, form->len, &hash);
        payload = id_hex(&hash);
        sigv4_sign(&(SigV4Request){ .method = "POST",
                                    .host = host,
                                    .path = path,
                                    .extra = headers,
                                    .n_extra = 1,
                                    .payload = payload.text,
                                    .region = request->region ? request->region : "us-east-1",
                                    .service = "sts",
                                    .escape_path_again = true,
                                    .now = clock_now().sec },
                   request->signer, &signature);
        headers[post.n_headers++] = (HttpHeader){ "x-amz-date", signature.date };
        headers[post.n_headers++] = (HttpHeader){ "authorization", signature.authorization };
        if (request->signer->session_token)
            headers[post.n_headers++] =
                (HttpHeader){ "x-amz-security-token", request->signer->session_token };
    }
    url = ok ? g_strdup_printf("%.*s%s%s", (int)(strstr(endpoint, "://") + 3 - endpoint), endpoint,
                               host, path)
             : NULL;
    post.url = url;
    ok = ok && http_request(http, &post, ret_reply, error);
    secret_wipe(form->str, form->len); // a web identity token is a secret while it lives
    return ok;
}

bool sts_assume_role(HttpClient *http, const StsRequest *request, AwsKeys *ret_keys, GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    bool ok = ask(http, request, &reply, error);

    if (ok && reply.status != 200) {
        set_refusal(&reply, error);
        ok = false;
    }
    ok = ok && sts_answer_parse(reply.body, ret_keys, error);
    if (reply.body && reply.body->len > 0)
        secret_wipe(reply.body->data, reply.body->len);
    if (!ok)
        g_prefix_error(error, "role %s: sts: ", request->role_arn);
    return ok;
}
