/* SPDX-License-Identifier: Apache-2.0 */
/* One PUT an object, proved to have arrived. */
#include "store/s3ops.h"

#include "base/clock.h"
#include "base/error.h"

#include <string.h>

#define ONE_DAY (INT64_C(24) * 60 * 60) /* s */

/* ---- proof ---- */

void s3_digest_init(S3Digest *digest, const void *data, size_t len)
{
    hash_md5(data, len, digest->md5);
    digest->base64 = g_base64_encode(digest->md5, MD5_LEN);
    for (size_t i = 0; i < MD5_LEN; i++)
        (void)g_snprintf(digest->hex + 2 * i, 3, "%02x", digest->md5[i]);
}

void s3_digest_clear(S3Digest *digest)
{
    g_clear_pointer(&digest->base64, g_free);
}

/* Amazon S3 API Reference, "Object": an ETag is the MD5 of the data, but not for objects that are
 * encrypted by the key management service or with keys of the customer. */
static bool hides_md5(const HttpReply *reply)
{
    const char *encryption = http_reply_header(reply, "x-amz-server-side-encryption");

    return (encryption && !g_str_equal(encryption, "AES256")) ||
           http_reply_header(reply, "x-amz-server-side-encryption-customer-algorithm");
}

static bool is_md5(const char *text)
{
    return strlen(text) == 2 * MD5_LEN && strspn(text, "0123456789abcdef") == 2 * MD5_LEN;
}

S3Etag s3_etag_compare(const S3Store *s3, const HttpReply *reply, const char *want)
{
    const char *header = http_reply_header(reply, "etag");
    g_autofree char *etag = header ? g_ascii_strdown(header, -1) : NULL;
    const char *value = etag;

    if (!etag)
        return S3_ETAG_UNKNOWN;
    if (*value == '"') {
        value++;
        etag[strcspn(value, "\"") + 1] = '\0';
    }
    if (g_str_equal(value, want))
        return S3_ETAG_SAME;
    return atomic_load(&s3->etags_opaque) || hides_md5(reply) || !is_md5(value) ? S3_ETAG_UNKNOWN
                                                                                : S3_ETAG_OTHER;
}

static bool not_there(const char *key, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                "s3: put %s: acknowledged by the server, but %s", key, what);
    return false;
}

/* The server has given no proof: is at least the length right? */
static bool check_length(S3Store *s3, const char *key, size_t len, GError **error)
{
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    if (s3_stat(&s3->base, key, &size, &failure))
        return size == len || not_there(key, "what lies there has another length", error);
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return not_there(key, "it is not there", error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* It gave another MD5: either it holds other bytes, or its ETags mean something else. */
static bool read_back(S3Store *s3, const char *key, const void *data, size_t len, GError **error)
{
    g_autoptr(GBytes) there = NULL;

    if (!s3_get_whole(&s3->base, key, len, &there, error))
        return false;
    if (g_bytes_get_size(there) != len || memcmp(g_bytes_get_data(there, NULL), data, len) != 0)
        return not_there(key, "what lies there is not what was sent", error);
    atomic_store(&s3->etags_opaque, true);
    return true;
}

static bool check_arrival(S3Store *s3, const char *key, const void *data, size_t len,
                          const HttpReply *reply, const S3Digest *digest, GError **error)
{
    switch (s3_etag_compare(s3, reply, digest->hex)) {
    case S3_ETAG_SAME:
        return true;
    case S3_ETAG_OTHER:
        return read_back(s3, key, data, len, error);
    case S3_ETAG_UNKNOWN:
        break;
    }
    return check_length(s3, key, len, error);
}

/* ---- one object ---- */

/* Whoever holds a lock must be able to remove it. */
static size_t add_lock(const S3Store *s3, const char *key, HttpHeader *headers,
                       char until[RFC3339_MAX])
{
    if (s3->lock == S3_LOCK_NONE || g_str_has_prefix(key, "locks/"))
        return 0;
    (void)rfc3339_format((Timestamp){ .sec = clock_now().sec + s3->lock_days * ONE_DAY }, until);
    headers[0] = (HttpHeader){ "x-amz-object-lock-mode", s3_lock_name(s3->lock) };
    headers[1] = (HttpHeader){ "x-amz-object-lock-retain-until-date", until };
    return 2;
}

size_t s3_new_object_headers(const S3Store *s3, const char *key, HttpHeader *headers,
                             char until[RFC3339_MAX])
{
    size_t n = 0;

    headers[n++] = (HttpHeader){ "Content-Type", "application/octet-stream" };
    // what must be read to read anything else stays where it is quick and cheap to read
    if (s3->storage_class && g_str_has_prefix(key, "data/"))
        headers[n++] = (HttpHeader){ "x-amz-storage-class", s3->storage_class };
    if (s3->encryption)
        headers[n++] = (HttpHeader){ "x-amz-server-side-encryption", s3->encryption };
    if (s3->encryption_key)
        headers[n++] =
            (HttpHeader){ "x-amz-server-side-encryption-aws-kms-key-id", s3->encryption_key };
    return n + add_lock(s3, key, headers + n, until);
}

/*
 * The name of most objects is the SHA-256 of their content, taken when they were made. Sending that
 * instead of a new one saves its time (0.7 s a GiB), and memory that has failed since then is
 * found: the server refuses such bytes.
 */
const char *s3_hash_in_name(const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    Id id;

    return id_parse(name, &id) ? name : NULL;
}

/* The server has got other bytes than we have announced: were they ours, or the line's? */
static void blame(const char *key, const void *data, size_t len, const S3Refusal *refusal,
                  GError *failure)
{
    const char *name = s3_hash_in_name(key);
    Id id;

    if (!name || !s3_refusal_has_code(refusal, "XAmzContentSHA256Mismatch"))
        return;
    hash_bytes(data, len, &id);
    if (g_str_equal(id_hex(&id).text, name))
        return;
    failure->code = BS_ERROR_CORRUPT;
    g_prefix_error(&failure,
                   "%s is not the hash of what was to be put there; this machine's "
                   "memory may be failing: ",
                   name);
}

static bool put_object(S3Store *s3, const char *key, const void *data, size_t len, bool condition,
                       S3Refusal *ret_refusal, GError **error)
{
    g_auto(S3Digest) digest = { 0 };
    g_auto(HttpReply) reply = { 0 };
    g_autoptr(GError) failure = NULL;
    HttpHeader headers[S3_NEW_OBJECT_HEADERS + 2];
    char until[RFC3339_MAX];
    S3Call call = { .verb = "put",
                    .method = "PUT",
                    .key = key,
                    .headers = headers,
                    .body = data,
                    .body_len = len,
                    .sha256 = s3_hash_in_name(key),
                    .once = condition,
                    .ret_refusal = ret_refusal };

    s3_digest_init(&digest, data, len);
    call.n_headers = s3_new_object_headers(s3, key, headers, until);
    headers[call.n_headers++] = (HttpHeader){ "Content-MD5", digest.base64 };
    if (condition)
        headers[call.n_headers++] = (HttpHeader){ "If-None-Match", "*" };
    if (s3_call(s3, &call, &reply, &failure))
        return check_arrival(s3, key, data, len, &reply, &digest, error);
    blame(key, data, len, ret_refusal, failure);
    // Ceph says no more than that
    if (s3->lock != S3_LOCK_NONE && s3_refusal_has_code(ret_refusal, "InvalidRequest"))
        g_prefix_error(&failure, "with an object lock, which the bucket may not have: ");
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool put_any(S3Store *s3, const char *key, const void *data, size_t len, GError **error)
{
    g_auto(S3Refusal) refusal = { 0 };

    return put_object(s3, key, data, len, false, &refusal, error);
}

/* ---- only if absent ---- */

/* Swift, and Amazon until 2024, say 501; others name the header. */
static bool is_about_condition(const S3Refusal *refusal)
{
    g_autofree char *small = g_ascii_strdown(refusal->message ? refusal->message : "", -1);

    return refusal->status == 501 || (refusal->status == 400 && strstr(small, "if-none-match"));
}

static bool check_absent(S3Store *s3, const char *key, GError **error)
{
    g_autoptr(GError) failure = NULL;
    char first;

    // an empty object has no first byte; and of a GET that is refused one learns why
    if (s3_get(&s3->base, key, 0, &first, 1, &failure) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "s3: put %s: it exists", key);
        return false;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/*
 * A server that ignores the condition cannot be told from one that heeds it until it has refused
 * once, so until then we look first. Two who look at the same time both see nothing: what remains
 * is said in s3.h.
 */
static bool put_if_absent(S3Store *s3, const char *key, const void *data, size_t len,
                          GError **error)
{
    g_auto(S3Refusal) refusal = { 0 };
    g_autoptr(GError) failure = NULL;

    if (atomic_load(&s3->conditions) != S3_CONDITIONS_HEEDED && !check_absent(s3, key, error))
        return false;
    if (atomic_load(&s3->conditions) == S3_CONDITIONS_LACKING)
        return put_any(s3, key, data, len, error);
    if (put_object(s3, key, data, len, true, &refusal, &failure))
        return true;
    if (is_about_condition(&refusal)) {
        atomic_store(&s3->conditions, S3_CONDITIONS_LACKING);
        return put_any(s3, key, data, len, error);
    }
    if (refusal.status == 412)
        atomic_store(&s3->conditions, S3_CONDITIONS_HEEDED);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool s3_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
            GError **error)
{
    return (if_absent ? put_if_absent : put_any)((S3Store *)store, key, data, len, error);
}
