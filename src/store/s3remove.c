/* SPDX-License-Identifier: Apache-2.0 */
/* Removing objects: one by one, or a thousand with one request (DeleteObjects). */
#include "store/s3ops.h"
#include "store/s3xml.h"

#include "base/error.h"

#include <string.h>

#define BATCH 1000 /* Amazon S3 API Reference, DeleteObjects */

bool s3_remove(Store *store, const char *key, GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    g_autoptr(GError) failure = NULL;
    S3Call call = { .verb = "remove", .method = "DELETE", .key = key };

    if (s3_call((S3Store *)store, &call, &reply, &failure) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- batches ---- */

/* What the server says of each key; what it does not say has not happened. */
typedef struct {
    GHashTable *removed; /* set of keys as the bucket knows them */
    char *key, *code;    /* of the error that is being read */
} Batch;

static void batch_done(Batch *batch)
{
    g_hash_table_unref(batch->removed);
    g_free(batch->key);
    g_free(batch->code);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_done)

static void set_text(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

static bool take_element(const char *path, const char *text, void *user,
                         G_GNUC_UNUSED GError **error)
{
    Batch *batch = user;

    if (g_str_equal(path, "DeleteResult/Deleted/Key"))
        g_hash_table_add(batch->removed, g_strdup(text));
    else if (g_str_equal(path, "DeleteResult/Error/Key"))
        set_text(&batch->key, text);
    else if (g_str_equal(path, "DeleteResult/Error/Code"))
        set_text(&batch->code, text);
    else if (g_str_equal(path, "DeleteResult/Error")) {
        if (batch->key && g_strcmp0(batch->code, "NoSuchKey") == 0)
            g_hash_table_add(batch->removed, g_strdup(batch->key));
        set_text(&batch->key, NULL);
        set_text(&batch->code, NULL);
    }
    return true;
}

static GString *batch_request(const S3Store *s3, const char *const *keys, size_t n)
{
    GString *xml = g_string_new("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

    for (size_t i = 0; i < n; i++) {
        g_autofree char *full = s3_full_key(s3, keys[i]);

        g_string_append(xml, "<Object>");
        s3_xml_add(xml, "Key", full);
        g_string_append(xml, "</Object>");
    }
    g_string_append(xml, "</Delete>");
    return xml;
}

/* False: nothing is known of any key. */
static bool ask_for_batch(S3Store *s3, const char *const *keys, size_t n, Batch *batch,
                          GError **error)
{
    g_autoptr(GString) xml = batch_request(s3, keys, n);
    g_auto(S3Digest) digest = { 0 };
    g_auto(HttpReply) reply = { 0 };
    HttpHeader headers[2];
    S3Call call = { .verb = "remove",
                    .method = "POST",
                    .subject = "many",
                    .query = "delete=",
                    .headers = headers,
                    .n_headers = 2,
                    .body = xml->str,
                    .body_len = xml->len };

    s3_digest_init(&digest, xml->str, xml->len);
    headers[0] = (HttpHeader){ "Content-MD5", digest.base64 };
    headers[1] = (HttpHeader){ "Content-Type", "application/xml" };
    // half an answer still says what it says
    return s3_call(s3, &call, &reply, error) &&
           (s3_xml_read((const char *)reply.body->data, reply.body->len, take_element, batch,
                        NULL) ||
            true);
}

/* A thousand requests more would not reach a server that is away; whoever tries again begins with
 * all of them. */
static bool is_away(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED);
}

static void remove_each(Store *store, const char *const *keys, size_t n, const Batch *batch,
                        GError **first)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *full = s3_full_key((S3Store *)store, keys[i]);
        g_autoptr(GError) failure = NULL;

        if (g_hash_table_contains(batch->removed, full) || s3_remove(store, keys[i], &failure))
            continue;
        if (!*first || is_away(failure)) {
            g_clear_error(first);
            *first = g_steal_pointer(&failure);
        }
        if (is_away(*first))
            return;
    }
}

/* Keys that the answer leaves out or refuses are removed one by one: that shows why. False: there
 * is no point in going on. */
static bool remove_batch(Store *store, const char *const *keys, size_t n, GError **first)
{
    S3Store *s3 = (S3Store *)store;
    g_autoptr(GError) failure = NULL;
    g_auto(Batch)
        batch = { .removed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };

    if (n > 1 && !atomic_load(&s3->no_batches) && !ask_for_batch(s3, keys, n, &batch, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED))
            atomic_store(&s3->no_batches, true);
        if (is_away(failure)) {
            g_clear_error(first);
            *first = g_steal_pointer(&failure);
            return false;
        }
    }
    remove_each(store, keys, n, &batch, first);
    return !*first || !is_away(*first);
}

bool s3_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    g_autoptr(GError) first = NULL;

    for (size_t i = 0; i < n; i += BATCH)
        if (!remove_batch(store, keys + i, MIN(n - i, BATCH), &first))
            break;
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}
