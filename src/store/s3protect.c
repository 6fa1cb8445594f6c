/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping an object from being removed until a time (Amazon S3 User Guide, "Locking objects with
 * Object Lock"). */
#include "store/s3ops.h"
#include "store/s3xml.h"

#include <string.h>

const char *s3_lock_name(S3Lock lock)
{
    static const char *const names[] = { [S3_LOCK_NONE] = NULL,
                                         [S3_LOCK_GOVERNANCE] = "GOVERNANCE",
                                         [S3_LOCK_COMPLIANCE] = "COMPLIANCE" };

    return names[lock];
}

static S3Lock lock_of(const HttpReply *reply)
{
    const char *mode = http_reply_header(reply, "x-amz-object-lock-mode");

    if (!mode)
        return S3_LOCK_NONE;
    // what cannot be taken back is not what to guess
    return g_ascii_strcasecmp(mode, "COMPLIANCE") == 0 ? S3_LOCK_COMPLIANCE : S3_LOCK_GOVERNANCE;
}

bool s3_protection_get(S3Store *s3, const char *key, const char *version,
                       S3Protection *ret_protection, GError **error)
{
    g_autoptr(GString) query = g_string_new(NULL);
    g_auto(HttpReply) reply = { 0 };
    const char *until, *hold;
    Timestamp time = { 0 };

    s3_query_add(query, "versionId", version);
    if (!s3_head(s3, key, query->len > 0 ? query->str : NULL, &reply, error))
        return false;
    until = http_reply_header(&reply, "x-amz-object-lock-retain-until-date");
    hold = http_reply_header(&reply, "x-amz-object-lock-legal-hold");
    if (until && !rfc3339_parse(until, strlen(until), &time, error)) {
        g_prefix_error(error, "s3: stat %s: until when it is locked: ", key);
        return false;
    }
    *ret_protection = (S3Protection){ .lock = lock_of(&reply),
                                      .until = time.sec,
                                      .held = hold && g_ascii_strcasecmp(hold, "ON") == 0 };
    return true;
}

static bool set_retention(S3Store *s3, const char *key, S3Lock lock, int64_t until, GError **error)
{
    g_autoptr(GString) xml =
        g_string_new("<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    char time[RFC3339_MAX];
    g_auto(S3Digest) digest = { 0 };
    g_auto(HttpReply) reply = { 0 };
    HttpHeader headers[2];
    S3Call call = { .verb = "protect",
                    .method = "PUT",
                    .key = key,
                    .query = "retention=",
                    .headers = headers,
                    .n_headers = G_N_ELEMENTS(headers) };

    (void)rfc3339_format((Timestamp){ .sec = until }, time);
    s3_xml_add(xml, "Mode", s3_lock_name(lock));
    s3_xml_add(xml, "RetainUntilDate", time);
    g_string_append(xml, "</Retention>");
    s3_digest_init(&digest, xml->str, xml->len);
    headers[0] = (HttpHeader){ "Content-MD5", digest.base64 };
    headers[1] = (HttpHeader){ "Content-Type", "application/xml" };
    call.body = xml->str;
    call.body_len = xml->len;
    return s3_call(s3, &call, &reply, error);
}

bool s3_protect(Store *store, const char *key, int64_t enough_until, int64_t until, bool *ret_done,
                GError **error)
{
    S3Store *s3 = (S3Store *)store;
    S3Protection now;
    S3Lock lock;

    if (!s3_protection_get(s3, key, NULL, &now, error))
        return false;
    *ret_done = now.until < enough_until;
    if (!*ret_done)
        return true;
    lock = now.lock != S3_LOCK_NONE ? now.lock : s3->lock;
    return set_retention(s3, key, lock != S3_LOCK_NONE ? lock : S3_LOCK_GOVERNANCE, until, error);
}
