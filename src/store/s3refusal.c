/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3refusal.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include "store/s3xml.h"

#include <string.h>

#define MESSAGE_MAX 300

typedef struct {
    const char *code;
    BsErrorCode error;
    const char *advice; /* after a semicolon; NULL: none */
} Meaning;

/* Amazon S3 API Reference, "List of error codes"; Quota... and XMinio... are others' own. */
static const Meaning meanings[] = {
    { "NoSuchKey", BS_ERROR_NOT_FOUND, NULL },
    { "NoSuchUpload", BS_ERROR_NOT_FOUND, NULL },
    { "NoSuchVersion", BS_ERROR_NOT_FOUND, NULL },
    { "NoSuchBucket", BS_ERROR_NO_REPO,
      "check its name, or create it (`backstay init` does, for a repository)" },
    { "PreconditionFailed", BS_ERROR_EXISTS, NULL },
    { "InvalidRange", BS_ERROR_CORRUPT, NULL },

    { "AccessDenied", BS_ERROR_DENIED,
      "the access key has no right to do this here: see its policy and the bucket's" },
    { "AllAccessDisabled", BS_ERROR_DENIED, "ask the provider why" },
    { "SignatureDoesNotMatch", BS_ERROR_DENIED,
      "the secret key is not the one that belongs to this access key" },
    { "InvalidAccessKeyId", BS_ERROR_DENIED,
      "the server does not know this access key; check it, and that the endpoint is its server" },
    { "ExpiredToken", BS_ERROR_DENIED, "the session has ended; get new temporary keys" },
    { "InvalidToken", BS_ERROR_DENIED, "the session token does not belong to this access key" },
    { "TokenRefreshRequired", BS_ERROR_DENIED, "the session has ended; get new temporary keys" },
    { "InvalidObjectState", BS_ERROR_DENIED,
      "the object lies in an archive class; have the provider bring it back first" },
    { "AuthorizationHeaderMalformed", BS_ERROR_DENIED,
      "name the bucket's region with AWS_DEFAULT_REGION" },

    { "PermanentRedirect", BS_ERROR_FAILED, "check the repository's location" },
    { "TemporaryRedirect", BS_ERROR_FAILED, "check the repository's location" },

    { "QuotaExceeded", BS_ERROR_NO_SPACE, "raise the quota, or `backstay prune`" },
    { "InsufficientCapacity", BS_ERROR_NO_SPACE, NULL },
    { "XMinioStorageFull", BS_ERROR_NO_SPACE, NULL },
    { "XMinioAdminBucketQuotaExceeded", BS_ERROR_NO_SPACE, "raise the quota, or `backstay prune`" },

    { "InternalError", BS_ERROR_TRANSIENT, NULL },
    { "ServiceUnavailable", BS_ERROR_TRANSIENT, NULL },
    { "SlowDown", BS_ERROR_TRANSIENT, NULL },
    { "SlowDownRead", BS_ERROR_TRANSIENT, NULL },
    { "SlowDownWrite", BS_ERROR_TRANSIENT, NULL },
    { "Throttling", BS_ERROR_TRANSIENT, NULL },
    { "ThrottlingException", BS_ERROR_TRANSIENT, NULL },
    { "RequestLimitExceeded", BS_ERROR_TRANSIENT, NULL },
    { "TooManyRequests", BS_ERROR_TRANSIENT, NULL },
    { "RequestTimeout", BS_ERROR_TRANSIENT, NULL },
    { "IncompleteBody", BS_ERROR_TRANSIENT, NULL },
    { "BadDigest", BS_ERROR_TRANSIENT, NULL },
    { "XAmzContentSHA256Mismatch", BS_ERROR_TRANSIENT, NULL },
    { "OperationAborted", BS_ERROR_TRANSIENT, NULL },
    { "ConditionalRequestConflict", BS_ERROR_TRANSIENT, NULL },

    { "NotImplemented", BS_ERROR_UNSUPPORTED, NULL },
    { "MethodNotAllowed", BS_ERROR_UNSUPPORTED, NULL },
};

/* ---- reading ---- */

void s3_refusal_clear(S3Refusal *refusal)
{
    g_free(refusal->code);
    g_free(refusal->message);
    g_free(refusal->region);
    g_free(refusal->endpoint);
    g_free(refusal->request_time);
    g_free(refusal->server_time);
    *refusal = (S3Refusal){ 0 };
}

/* What a server says goes to terminals and logs. */
static char *one_line(const char *text)
{
    char *line = g_strstrip(g_utf8_make_valid(text, -1));

    for (char *c = line; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    if (strlen(line) > MESSAGE_MAX)
        *g_utf8_find_prev_char(line, line + MESSAGE_MAX) = '\0';
    return line;
}

void s3_refusal_set_one(S3Refusal *refusal, const char *name, const char *text)
{
    const struct {
        const char *name;
        char **place;
    } places[] = {
        { "Code", &refusal->code },
        { "Message", &refusal->message },
        { "Region", &refusal->region },
        { "Endpoint", &refusal->endpoint },
        { "RequestTime", &refusal->request_time },
        { "ServerTime", &refusal->server_time },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (g_str_equal(name, places[i].name) && *text) {
            g_free(*places[i].place);
            *places[i].place = one_line(text);
        }
}

static bool take_element(const char *path, const char *text, void *user,
                         G_GNUC_UNUSED GError **error)
{
    if (g_str_has_prefix(path, "Error/"))
        s3_refusal_set_one(user, path + strlen("Error/"), text);
    return true;
}

/* Amazon S3 API Reference, CompleteMultipartUpload: "a 200 OK response can contain ... an error" */
static bool is_refusal(const HttpReply *reply)
{
    return reply->status / 100 != 2 ||
           s3_xml_is((const char *)reply->body->data, reply->body->len, "Error");
}

static char *time_text(Timestamp time)
{
    char text[RFC3339_MAX];

    time.nsec = 0;
    rfc3339_format(time, text);
    return g_strdup(text);
}

/* Not every server tells both. */
static void fill_times(const HttpReply *reply, S3Refusal *refusal)
{
    if (!refusal->request_time)
        refusal->request_time = time_text(clock_now());
    if (!refusal->server_time && http_reply_header(reply, "date"))
        refusal->server_time = time_text((Timestamp){ .sec = http_reply_date(reply) });
}

bool s3_refusal_read(const HttpReply *reply, S3Refusal *ret_refusal)
{
    const char *region = http_reply_header(reply, "x-amz-bucket-region");

    if (!is_refusal(reply))
        return false;
    *ret_refusal = (S3Refusal){ .status = reply->status, .wait_ms = http_retry_after_ms(reply) };
    // what is no XML, or only half of it, has nothing more to say than its status
    (void)s3_xml_read((const char *)reply->body->data, reply->body->len, take_element, ret_refusal,
                      NULL);
    if (region)
        s3_refusal_set_one(ret_refusal, "Region", region);
    fill_times(reply, ret_refusal);
    return true;
}

bool s3_refusal_has_code(const S3Refusal *refusal, const char *code)
{
    return refusal->code && g_str_equal(refusal->code, code);
}

bool s3_refusal_is_of_keys(const S3Refusal *refusal)
{
    static const char *const codes[] = { "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
                                         "InvalidAccessKeyId" };

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (s3_refusal_has_code(refusal, codes[i]))
            return true;
    return false;
}

/* ---- meaning ---- */

static const Meaning *find_meaning(const S3Refusal *refusal)
{
    for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
        if (s3_refusal_has_code(refusal, meanings[i].code))
            return &meanings[i];
    return NULL;
}

/*
 * A status alone: what answered may not be the server that we mean. A 404 without the words of S3
 * is what a proxy says whose server is away for a moment, not that an object is absent.
 */
static BsErrorCode meaning_of_status(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
        return BS_ERROR_DENIED;
    case 412:
        return BS_ERROR_EXISTS;
    case 416:
        return BS_ERROR_CORRUPT;
    case 405:
    case 501:
        return BS_ERROR_UNSUPPORTED;
    case 507:
        return BS_ERROR_NO_SPACE;
    case 200: // an error that we do not know, in what began as a success
    case 404:
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return BS_ERROR_TRANSIENT;
    default:
        return BS_ERROR_FAILED;
    }
}

static const char *words_for(BsErrorCode code)
{
    switch (code) {
    case BS_ERROR_NOT_FOUND:
        return "no such object";
    case BS_ERROR_NO_REPO:
        return "no such bucket";
    case BS_ERROR_EXISTS:
        return "it exists";
    case BS_ERROR_CORRUPT:
        return "it is shorter than that";
    case BS_ERROR_DENIED:
        return "access denied";
    case BS_ERROR_NO_SPACE:
        return "the store is full";
    case BS_ERROR_UNSUPPORTED:
        return "the server does not know this request";
    case BS_ERROR_TRANSIENT:
        return "the server could not do it";
    default:
        return "the server refuses";
    }
}

static void set_skew_error(const S3Refusal *refusal, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "access denied (HTTP %u RequestTimeTooSkewed): this machine's clock said %s, the "
                "server's %s; set this machine's clock",
                refusal->status, refusal->request_time,
                refusal->server_time ? refusal->server_time : "another time");
}

void s3_refusal_to_error(const S3Refusal *refusal, GError **error)
{
    const Meaning *meaning = find_meaning(refusal);
    BsErrorCode code = meaning ? meaning->error : meaning_of_status(refusal->status);
    const char *advice = meaning ? meaning->advice : NULL;
    g_autoptr(GString) text = g_string_new(
        refusal->status / 100 == 3 ? "the server sends us elsewhere, and on" : words_for(code));
    GError *made;

    if (s3_refusal_has_code(refusal, "RequestTimeTooSkewed")) {
        set_skew_error(refusal, error);
        return;
    }
    g_string_append_printf(text, " (HTTP %u", refusal->status);
    if (refusal->code)
        g_string_append_printf(text, " %s", refusal->code);
    else if (refusal->status == 404)
        g_string_append(text, ", but not from an S3 server");
    g_string_append_c(text, ')');
    if (refusal->message)
        g_string_append_printf(text, ": %s", refusal->message);
    if (advice)
        g_string_append_printf(text, "; %s", advice);
    made = g_error_new_literal(BS_ERROR, (int)code, text->str);
    bs_error_set_wait_ms(made, refusal->wait_ms);
    g_propagate_error(error, made);
}
