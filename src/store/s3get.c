/* SPDX-License-Identifier: Apache-2.0 */
/* Reading objects: exactly what was asked for, or an error. */
#include "store/s3ops.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

/* A decimal number and nothing else. */
static bool parse_number(const char *text, uint64_t *ret_number)
{
    return text && g_ascii_isdigit(*text) &&
           g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret_number, NULL);
}

/* ---- ranges ---- */

typedef struct {
    uint64_t first, last, total; /* total: UINT64_MAX when it was not told */
} Range;

/* "bytes 0-9/123", RFC 9110, section 14.4 */
static bool parse_content_range(const char *text, Range *ret_range)
{
    g_auto(GStrv) parts = NULL;

    if (!text || g_ascii_strncasecmp(text, "bytes ", 6) != 0)
        return false;
    parts = g_strsplit_set(text + 6, "-/", 3);
    if (g_strv_length(parts) != 3 || !parse_number(parts[0], &ret_range->first) ||
        !parse_number(parts[1], &ret_range->last))
        return false;
    ret_range->total = UINT64_MAX;
    return g_str_equal(parts[2], "*") || parse_number(parts[2], &ret_range->total);
}

static bool set_error(const char *key, BsErrorCode code, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, (int)code, "s3: get %s: %s", key, what);
    return false;
}

static bool check_range(const char *key, uint64_t offset, size_t len, const HttpReply *reply,
                        GError **error)
{
    Range range;

    // a server may send all when all was asked for
    if (reply->status == 200 && offset == 0 && reply->body_len == len)
        return true;
    if (reply->status != 206)
        return set_error(key, BS_ERROR_UNSUPPORTED,
                         "the server did not send the range that was asked for, but all", error);
    if (!parse_content_range(http_reply_header(reply, "content-range"), &range) ||
        range.first != offset)
        return set_error(key, BS_ERROR_TRANSIENT, "the server sent another range", error);
    if (range.total < offset + len)
        return set_error(key, BS_ERROR_CORRUPT, "it is shorter than that", error);
    if (range.last != offset + len - 1 || reply->body_len != len)
        return set_error(key, BS_ERROR_TRANSIENT, "the server did not send all of it", error);
    return true;
}

/* No bytes can be no range. */
static bool get_nothing(Store *store, const char *key, uint64_t offset, GError **error)
{
    uint64_t size;

    return s3_stat(store, key, &size, error) &&
           (offset <= size || set_error(key, BS_ERROR_CORRUPT, "it is shorter than that", error));
}

/*
 * Whoever may list only below a prefix is not told that an object is absent, but refused (Amazon S3
 * API Reference, GetObject, "Permissions"): a listing of that one key tells. Takes failure.
 */
static bool denied_or_absent(S3Store *s3, const char *key, const S3Refusal *refusal,
                             GError *failure, GError **error)
{
    g_autoptr(GError) absent = NULL;
    uint64_t size;

    if (!s3_refusal_has_code(refusal, "AccessDenied") || s3_stat_by_list(s3, key, &size, &absent) ||
        !g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, failure);
        return false;
    }
    g_error_free(failure);
    return set_error(key, BS_ERROR_NOT_FOUND, "no such object", error);
}

bool s3_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len, GError **error)
{
    S3Store *s3 = (S3Store *)store;
    g_auto(HttpReply) reply = { 0 };
    g_auto(S3Refusal) refusal = { 0 };
    GError *failure = NULL;
    g_autofree char *range = NULL;
    HttpHeader header;
    S3Call call = { .verb = "get",
                    .method = "GET",
                    .key = key,
                    .headers = &header,
                    .n_headers = 1,
                    .into = buf,
                    .into_len = len,
                    .ret_refusal = &refusal };

    if (len == 0)
        return get_nothing(store, key, offset, error);
    if (offset > UINT64_MAX - len)
        return set_error(key, BS_ERROR_CORRUPT, "it is shorter than that", error);
    range = g_strdup_printf("bytes=%" PRIu64 "-%" PRIu64, offset, offset + len - 1);
    header = (HttpHeader){ "Range", range };
    if (!s3_call(s3, &call, &reply, &failure))
        return denied_or_absent(s3, key, &refusal, failure, error);
    return check_range(key, offset, len, &reply, error);
}

/* ---- all of it ---- */

/* Without either, a cut answer looks like a whole one. */
static bool has_an_end(const HttpReply *reply)
{
    return http_reply_header(reply, "content-length") ||
           http_reply_header(reply, "transfer-encoding");
}

static bool get_once(S3Store *s3, const char *key, const char *query, size_t bound,
                     HttpReply *ret_reply, GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    g_auto(S3Refusal) refusal = { 0 };
    GError *failure = NULL;
    S3Call call = { .verb = "get",
                    .method = "GET",
                    .key = key,
                    .query = query,
                    .bound = MAX(bound, 1),
                    .ret_refusal = &refusal };

    if (!s3_call(s3, &call, &reply, &failure) && !query)
        return denied_or_absent(s3, key, &refusal, failure, error);
    if (failure) {
        g_propagate_error(error, failure); // of an older version a listing says nothing
        return false;
    }
    if (reply.status != 200 || !has_an_end(&reply))
        return set_error(key, BS_ERROR_TRANSIENT, "the server did not send all of it", error);
    if (reply.body->len > bound)
        return set_error(key, BS_ERROR_CORRUPT, "larger than what is expected", error);
    *ret_reply = reply;
    reply = (HttpReply){ 0 };
    return true;
}

/* By the hash in its name, or else by the MD5 that the server has of it. */
static bool looks_right(const S3Store *s3, const char *key, const HttpReply *reply, Id *ret_hash)
{
    const char *name = s3_hash_in_name(key);
    g_auto(S3Digest) digest = { 0 };

    hash_bytes(reply->body->data, reply->body->len, ret_hash);
    if (name)
        return g_str_equal(id_hex(ret_hash).text, name);
    s3_digest_init(&digest, reply->body->data, reply->body->len);
    return s3_etag_compare(s3, reply, digest.hex) != S3_ETAG_OTHER;
}

/*
 * Bytes that do not fit are asked for once more: a byte that changed on the way is not one that
 * changed in the store, and whoever reads would take it for damage. What comes the same again lies
 * there so, and the caller is to see it.
 */
bool s3_get_all(S3Store *s3, const char *key, const char *query, size_t bound, GBytes **ret_data,
                GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    Id first, second;

    if (!get_once(s3, key, query, bound, &reply, error))
        return false;
    if (!looks_right(s3, key, &reply, &first)) {
        http_reply_clear(&reply);
        if (!get_once(s3, key, query, bound, &reply, error))
            return false;
        if (!looks_right(s3, key, &reply, &second) && id_equal(&first, &second) &&
            !s3_hash_in_name(key))
            atomic_store(&s3->etags_opaque, true);
    }
    *ret_data = g_byte_array_free_to_bytes(g_steal_pointer(&reply.body));
    return true;
}

bool s3_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data, GError **error)
{
    return s3_get_all((S3Store *)store, key, NULL, bound, ret_data, error);
}
