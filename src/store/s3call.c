/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3call.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

#include <string.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEADERS_MAX  16

/* ---- where to ---- */

void s3_address_clear(S3Address *address)
{
    g_clear_pointer(&address->endpoint, g_free);
    g_clear_pointer(&address->region, g_free);
}

static S3Address current_address(S3Store *s3)
{
    S3Address address;

    pthread_mutex_lock(&s3->mutex);
    address.endpoint = g_strdup(s3->address.endpoint);
    address.region = g_strdup(s3->address.region);
    pthread_mutex_unlock(&s3->mutex);
    return address;
}

static void move_to(S3Store *s3, S3Address *address)
{
    pthread_mutex_lock(&s3->mutex);
    s3_address_clear(&s3->address);
    s3->address = *address;
    pthread_mutex_unlock(&s3->mutex);
    *address = (S3Address){ 0 };
}

char *s3_full_key(const S3Store *s3, const char *key)
{
    return *s3->place.prefix ? g_strconcat(s3->place.prefix, "/", key, NULL) : g_strdup(key);
}

static const char *host_of(const char *endpoint)
{
    return strstr(endpoint, "://") + strlen("://");
}

/* ---- one sending ---- */

typedef struct {
    GString *host, *path; /* of the URL, as it is signed */
    HttpHeader headers[HEADERS_MAX];
    size_t n_headers;
    SigV4Signature signature;
} Sending;

static void sending_done(Sending *sending)
{
    g_string_free(sending->host, TRUE);
    g_string_free(sending->path, TRUE);
    sigv4_signature_clear(&sending->signature);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sending, sending_done)

static void add_header(Sending *sending, const char *name, const char *value)
{
    g_assert(sending->n_headers < HEADERS_MAX);
    sending->headers[sending->n_headers++] = (HttpHeader){ name, value };
}

static void set_path(const S3Store *s3, const S3Call *call, const char *endpoint, Sending *sending)
{
    bool virtual = s3_is_virtual(s3, endpoint);

    sending->host = g_string_new(NULL);
    sending->path = g_string_new("/");
    if (virtual)
        g_string_printf(sending->host, "%s.", s3->place.bucket);
    else
        sigv4_escape(sending->path, s3->place.bucket, false);
    g_string_append(sending->host, host_of(endpoint));
    if (call->key) {
        g_autofree char *full = s3_full_key(s3, call->key);

        if (!virtual)
            g_string_append_c(sending->path, '/');
        sigv4_escape(sending->path, full, true);
    }
}

static void sign(const S3Call *call, const S3Address *address, const AwsKeys *keys,
                 const char *payload, Sending *sending)
{
    SigV4Request request = {
        .method = call->method,
        .host = sending->host->str,
        .path = sending->path->str,
        .query = call->query,
        .extra = call->headers,
        .n_extra = call->n_headers,
        .payload = payload,
        .region = address->region,
        .service = "s3",
        .now = clock_now().sec,
    };

    sigv4_sign(&request, keys, &sending->signature);
    for (size_t i = 0; i < call->n_headers; i++)
        add_header(sending, call->headers[i].name, call->headers[i].value);
    add_header(sending, "x-amz-content-sha256", payload);
    add_header(sending, "x-amz-date", sending->signature.date);
    if (keys->session_token)
        add_header(sending, "x-amz-security-token", keys->session_token);
    add_header(sending, "Authorization", sending->signature.authorization);
}

static bool send_once(S3Store *s3, const S3Call *call, const S3Address *address,
                      const AwsKeys *keys, const char *payload, HttpReply *ret_reply,
                      GError **error)
{
    g_auto(Sending) sending = { 0 };
    g_autofree char *url = NULL;
    HttpRequest request = {
        .method = call->method,
        .body = call->body,
        .body_len = call->body_len,
        .into = call->into,
        .into_len = call->into_len,
        .bound = call->bound,
        .once = call->once,
    };

    set_path(s3, call, address->endpoint, &sending);
    sign(call, address, keys, payload, &sending);
    url = g_strdup_printf("%.*s%s%s%s%s", (int)(host_of(address->endpoint) - address->endpoint),
                          address->endpoint, sending.host->str, sending.path->str,
                          call->query ? "?" : "", call->query ? call->query : "");
    request.url = url;
    request.headers = sending.headers;
    request.n_headers = sending.n_headers;
    return http_request(s3->http, &request, ret_reply, error);
}

/* ---- until it is done or refused ---- */

/* What may change between one sending and the next. */
typedef struct {
    S3Address address;
    bool moved, renewed;
} Attempt;

static void attempt_done(Attempt *attempt)
{
    s3_address_clear(&attempt->address);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Attempt, attempt_done)

/* Is there a reason to believe that the same request, signed anew, is not refused? */
static bool goes_on(S3Store *s3, Attempt *attempt, const AwsKeys *keys, const S3Refusal *refusal,
                    const HttpReply *reply, GError **error)
{
    g_auto(S3Address) next = { 0 };
    g_autoptr(GError) failure = NULL;

    if (!attempt->moved &&
        s3_address_follow(s3, &attempt->address, refusal, http_reply_header(reply, "location"),
                          &next, &failure)) {
        attempt->moved = true;
        move_to(s3, &next);
        return true;
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!attempt->renewed && s3_refusal_is_of_keys(refusal) &&
        aws_credentials_refused(s3->credentials, keys)) {
        attempt->renewed = true;
        return true;
    }
    s3_refusal_to_error(refusal, error);
    return false;
}

static bool send_until(S3Store *s3, const S3Call *call, const char *payload, HttpReply *ret_reply,
                       GError **error)
{
    g_auto(Attempt) attempt = { 0 };

    for (;;) {
        g_auto(AwsKeys) keys = { 0 };
        g_auto(HttpReply) reply = { 0 };
        g_auto(S3Refusal) refusal = { 0 };

        s3_address_clear(&attempt.address);
        attempt.address = current_address(s3);
        if (!aws_credentials_get(s3->credentials, &keys, error) ||
            !send_once(s3, call, &attempt.address, &keys, payload, &reply, error))
            return false;
        if (!s3_refusal_read(&reply, &refusal)) {
            *ret_reply = reply;
            reply = (HttpReply){ 0 };
            return true;
        }
        if (goes_on(s3, &attempt, &keys, &refusal, &reply, error))
            continue;
        if (call->ret_refusal) {
            *call->ret_refusal = refusal;
            refusal = (S3Refusal){ 0 };
        }
        return false;
    }
}

bool s3_call(S3Store *s3, const S3Call *call, HttpReply *ret_reply, GError **error)
{
    g_autoptr(GError) failure = NULL;
    const char *payload = call->sha256;
    IdText computed;

    if (!payload && call->body_len == 0)
        payload = EMPTY_SHA256;
    if (!payload) {
        Id id;

        hash_bytes(call->body, call->body_len, &id);
        computed = id_hex(&id);
        payload = computed.text;
    }
    if (send_until(s3, call, payload, ret_reply, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NO_REPO))
        g_prefix_error(&failure, "%s: ", s3->base.location);
    else
        g_prefix_error(&failure, "s3: %s %s: ", call->verb,
                       call->subject ? call->subject : call->key);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
