/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of unknown length as multipart uploads (Amazon S3 User Guide, "Uploading and copying
 * objects using multipart upload"). One part is in memory at a time, and each request is tried
 * again by the store's policy: nobody above could read the stream twice.
 */
#include "store/s3ops.h"
#include "store/s3xml.h"

#include "base/error.h"

#include <string.h>

#define PART_SIZE   ((size_t)16 * 1024 * 1024)
#define PARTS_MAX   10000
#define PARTS_EQUAL 1000

typedef struct {
    S3Store *s3;
    const char *key;
    char *upload_id;
    GPtrArray *etags; /* of the parts, as the server gave them */
    GByteArray *md5s; /* of the parts, one after the other */
    uint8_t *buf;
    size_t capacity, len;
    uint64_t total;
} Stream;

static void stream_done(Stream *stream)
{
    g_free(stream->upload_id);
    g_ptr_array_unref(stream->etags);
    g_byte_array_unref(stream->md5s);
    g_free(stream->buf);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stream, stream_done)

static bool set_error(const Stream *stream, BsErrorCode code, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, (int)code, "s3: put %s: %s", stream->key, what);
    return false;
}

/* Small while the stream is, and 10,000 of them hold the largest object, 5 TiB: 16 MiB up to 16
 * GiB, then 64, 144, ... for a thousand parts each. */
static size_t part_size(unsigned number)
{
    size_t step = 1 + (number - 1) / PARTS_EQUAL;

    return PART_SIZE * step * step;
}

/* ---- reading ---- */

static bool reserve(Stream *stream, size_t size, GError **error)
{
    if (size <= stream->capacity)
        return true;
    g_free(stream->buf);
    stream->buf = g_try_malloc(size);
    stream->capacity = stream->buf ? size : 0;
    return stream->buf || set_error(stream, BS_ERROR_FAILED, "no memory for a part", error);
}

/* The bytes of the next part; fewer than its size only at the end. */
static bool fill(Stream *stream, StoreRead read, void *user, GError **error)
{
    size_t size = part_size(stream->etags->len + 1);

    if (stream->etags->len == PARTS_MAX)
        size = 1; // is there more?
    if (!reserve(stream, size, error))
        return false;
    for (stream->len = 0; stream->len < size;) {
        size_t n;

        if (!cancel_check(stream->s3->cancel, error) ||
            !read(user, stream->buf + stream->len, size - stream->len, &n, error))
            return false;
        if (n == 0)
            break;
        stream->len += n;
    }
    stream->total += stream->len;
    return true;
}

/* ---- requests, each one try ---- */

static bool put_small(void *user, GError **error)
{
    const Stream *stream = user;

    return s3_put(&stream->s3->base, stream->key, stream->buf, stream->len, false, error);
}

static bool take_upload_id(const char *path, const char *text, void *user,
                           G_GNUC_UNUSED GError **error)
{
    Stream *stream = user;

    if (g_str_equal(path, "InitiateMultipartUploadResult/UploadId") && *text) {
        g_free(stream->upload_id);
        stream->upload_id = g_strdup(text);
    }
    return true;
}

static bool begin_upload(void *user, GError **error)
{
    Stream *stream = user;
    g_auto(HttpReply) reply = { 0 };
    HttpHeader headers[S3_NEW_OBJECT_HEADERS];
    char until[RFC3339_MAX];
    S3Call call = { .verb = "put",
                    .method = "POST",
                    .key = stream->key,
                    .query = "uploads=",
                    .headers = headers,
                    .n_headers = s3_new_object_headers(stream->s3, stream->key, headers, until) };

    if (!s3_call(stream->s3, &call, &reply, error))
        return false;
    (void)s3_xml_read((const char *)reply.body->data, reply.body->len, take_upload_id, stream,
                      NULL);
    return stream->upload_id ||
           set_error(stream, BS_ERROR_TRANSIENT, "the server gave no upload id", error);
}

/* What its ETag says of a part cannot be asked again: there is no reading of parts. */
static bool take_etag(Stream *stream, const HttpReply *reply, const S3Digest *digest,
                      GError **error)
{
    const char *etag = http_reply_header(reply, "etag");

    if (!etag)
        return set_error(stream, BS_ERROR_TRANSIENT, "the server gave no ETag for a part", error);
    if (s3_etag_compare(stream->s3, reply, digest->hex) == S3_ETAG_OTHER)
        return set_error(stream, BS_ERROR_TRANSIENT,
                         "the server got other bytes than were sent (by its ETag)", error);
    g_ptr_array_add(stream->etags, g_strdup(etag));
    g_byte_array_append(stream->md5s, digest->md5, MD5_LEN);
    return true;
}

static bool put_part(void *user, GError **error)
{
    Stream *stream = user;
    g_autofree char *number = g_strdup_printf("%u", stream->etags->len + 1);
    g_autoptr(GString) query = g_string_new(NULL);
    g_auto(S3Digest) digest = { 0 };
    g_auto(HttpReply) reply = { 0 };
    HttpHeader header;
    S3Call call = { .verb = "put",
                    .method = "PUT",
                    .key = stream->key,
                    .headers = &header,
                    .n_headers = 1,
                    .body = stream->buf,
                    .body_len = stream->len };

    s3_digest_init(&digest, stream->buf, stream->len);
    header = (HttpHeader){ "Content-MD5", digest.base64 };
    s3_query_add(query, "partNumber", number);
    s3_query_add(query, "uploadId", stream->upload_id);
    call.query = query->str;
    return s3_call(stream->s3, &call, &reply, error) && take_etag(stream, &reply, &digest, error);
}

/* ---- the end ---- */

/* The MD5 of the parts' MD5s, and how many they are: what Amazon and Ceph give as ETag. */
static char *etag_of_all(const Stream *stream)
{
    g_auto(S3Digest) digest = { 0 };

    s3_digest_init(&digest, stream->md5s->data, stream->md5s->len);
    return g_strdup_printf("%s-%u", digest.hex, stream->etags->len);
}

/* Is the object there, and is it ours? surely: only the ETag can prove that, not the length. */
static bool look(Stream *stream, bool surely, GError **error)
{
    g_autofree char *etag = etag_of_all(stream);
    g_autofree char *length = g_strdup_printf("%" G_GUINT64_FORMAT, stream->total);
    g_auto(HttpReply) reply = { 0 };
    g_autoptr(GError) failure = NULL;
    S3Call call = { .verb = "stat", .method = "HEAD", .key = stream->key };

    if (!s3_call(stream->s3, &call, &reply, &failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (g_strcmp0(http_reply_header(&reply, "content-length"), length) != 0)
        return set_error(stream, BS_ERROR_TRANSIENT,
                         "acknowledged by the server, but what lies there has another length",
                         error);
    return !surely || s3_etag_compare(stream->s3, &reply, etag) == S3_ETAG_SAME ||
           set_error(stream, BS_ERROR_FAILED,
                     "it is unknown whether the upload was completed; put it again", error);
}

static GString *complete_request(const Stream *stream)
{
    GString *xml =
        g_string_new("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

    for (guint i = 0; i < stream->etags->len; i++) {
        g_string_append_printf(xml, "<Part><PartNumber>%u</PartNumber>", i + 1);
        s3_xml_add(xml, "ETag", g_ptr_array_index(stream->etags, i));
        g_string_append(xml, "</Part>");
    }
    g_string_append(xml, "</CompleteMultipartUpload>");
    return xml;
}

static bool complete(void *user, GError **error)
{
    Stream *stream = user;
    g_autoptr(GString) xml = complete_request(stream);
    g_autoptr(GString) query = g_string_new(NULL);
    g_autoptr(GError) failure = NULL;
    g_auto(HttpReply) reply = { 0 };
    HttpHeader header = { "Content-Type", "application/xml" };
    S3Call call = { .verb = "put",
                    .method = "POST",
                    .key = stream->key,
                    .headers = &header,
                    .n_headers = 1,
                    .body = xml->str,
                    .body_len = xml->len };

    s3_query_add(query, "uploadId", stream->upload_id);
    call.query = query->str;
    if (s3_call(stream->s3, &call, &reply, &failure)) {
        if (s3_xml_is((const char *)reply.body->data, reply.body->len,
                      "CompleteMultipartUploadResult"))
            return look(stream, false, error);
        // nothing, or half of it: the work may have been done or not
        return look(stream, true, NULL) ||
               set_error(stream, BS_ERROR_TRANSIENT, "the server did not say that it is complete",
                         error);
    }
    // no such upload: an earlier try has completed it, or somebody has given it up
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) && look(stream, true, NULL))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool give_up(void *user, GError **error)
{
    const Stream *stream = user;

    return s3_abort_upload(stream->s3, stream->key, stream->upload_id, error);
}

/* ---- all of it ---- */

static bool try_often(const Stream *stream, RetryTry try, GError **error)
{
    g_autofree char *what = g_strdup_printf("put %s", stream->key);

    return retry_run(&stream->s3->retry, what, try, (void *)stream, error);
}

static bool put_parts(Stream *stream, StoreRead read, void *user, GError **error)
{
    while (stream->len > 0) {
        if (stream->etags->len == PARTS_MAX)
            return set_error(stream, BS_ERROR_FAILED, "the stream is too long for an object",
                             error);
        if (!try_often(stream, put_part, error) || !fill(stream, read, user, error))
            return false;
    }
    return try_often(stream, complete, error);
}

bool s3_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error)
{
    g_auto(Stream) stream = { .s3 = (S3Store *)store,
                              .key = key,
                              .etags = g_ptr_array_new_with_free_func(g_free),
                              .md5s = g_byte_array_new() };

    if (!fill(&stream, read, user, error))
        return false;
    if (stream.len < part_size(1))
        return try_often(&stream, put_small, error);
    if (!try_often(&stream, begin_upload, error))
        return false;
    if (put_parts(&stream, read, user, error))
        return true;
    // what cannot be given up now is found by prune
    (void)try_often(&stream, give_up, NULL);
    return false;
}
