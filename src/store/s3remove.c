/* SPDX-License-Identifier: Apache-2.0 */
/* Removing objects: one by one, or a thousand with one request (DeleteObjects). */
#include "store/s3ops.h"
#include "store/s3xml.h"

#include "base/error.h"

#include <string.h>

#define BATCH 1000 /* Amazon S3 API Reference, DeleteObjects */

static bool remove_one(S3Store *s3, const S3Doomed *doomed, GError **error)
{
    g_autoptr(GString) query = g_string_new(NULL);
    g_auto(HttpReply) reply = { 0 };
    g_autoptr(GError) failure = NULL;
    S3Call call = { .verb = "remove", .method = "DELETE", .key = doomed->key };

    s3_query_add(query, "versionId", doomed->version);
    call.query = query->len > 0 ? query->str : NULL;
    if (s3_call(s3, &call, &reply, &failure) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool s3_remove(Store *store, const char *key, GError **error)
{
    S3Doomed doomed = { key, NULL };

    return remove_one((S3Store *)store, &doomed, error);
}

/* ---- batches ---- */

/* What the server says of each key; what it does not say has not happened. */
typedef struct {
    GHashTable *removed;        /* set of names, as name_of() makes them */
    char *key, *version, *code; /* of the answer that is being read */
} Batch;

static void batch_done(Batch *batch)
{
    g_hash_table_unref(batch->removed);
    g_free(batch->key);
    g_free(batch->version);
    g_free(batch->code);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_done)

static void set_text(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

/* key: as the bucket knows it. */
static char *name_of(const char *key, const char *version)
{
    return g_strconcat(key, "\n", version, NULL);
}

static void note_answer(Batch *batch, bool removed)
{
    if (batch->key && removed) {
        g_hash_table_add(batch->removed, name_of(batch->key, batch->version));
        // a server may tell a version although it was not asked for one
        g_hash_table_add(batch->removed, name_of(batch->key, NULL));
    }
    set_text(&batch->key, NULL);
    set_text(&batch->version, NULL);
    set_text(&batch->code, NULL);
}

static bool take_element(const char *path, const char *text, void *user,
                         G_GNUC_UNUSED GError **error)
{
    Batch *batch = user;
    const char *name = strrchr(path, '/');

    if (g_str_equal(path, "DeleteResult/Deleted"))
        note_answer(batch, true);
    else if (g_str_equal(path, "DeleteResult/Error"))
        note_answer(batch, g_strcmp0(batch->code, "NoSuchKey") == 0 ||
                               g_strcmp0(batch->code, "NoSuchVersion") == 0);
    else if (g_strcmp0(name, "/Key") == 0)
        set_text(&batch->key, text);
    else if (g_strcmp0(name, "/VersionId") == 0)
        set_text(&batch->version, *text ? text : NULL);
    else if (g_strcmp0(name, "/Code") == 0)
        set_text(&batch->code, text);
    return true;
}

static GString *batch_request(const S3Store *s3, const S3Doomed *doomed, size_t n)
{
    GString *xml = g_string_new("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

    for (size_t i = 0; i < n; i++) {
        g_autofree char *full = s3_full_key(s3, doomed[i].key);

        g_string_append(xml, "<Object>");
        s3_xml_add(xml, "Key", full);
        if (doomed[i].version)
            s3_xml_add(xml, "VersionId", doomed[i].version);
        g_string_append(xml, "</Object>");
    }
    g_string_append(xml, "</Delete>");
    return xml;
}

/* False: nothing is known of any key. */
static bool ask_for_batch(S3Store *s3, const S3Doomed *doomed, size_t n, Batch *batch,
                          GError **error)
{
    g_autoptr(GString) xml = batch_request(s3, doomed, n);
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

typedef struct {
    S3Store *s3;
    S3Refused refused; /* may be NULL */
    void *user;
    GError *first;
} Removal;

static void fail(Removal *removal, GError *failure)
{
    if (removal->first && !is_away(failure)) {
        g_error_free(failure);
        return;
    }
    g_clear_error(&removal->first);
    removal->first = failure;
}

static void remove_each(Removal *removal, const S3Doomed *doomed, size_t n, const Batch *batch)
{
    S3Store *s3 = removal->s3;

    for (size_t i = 0; i < n; i++) {
        g_autofree char *full = s3_full_key(s3, doomed[i].key);
        g_autofree char *name = name_of(full, doomed[i].version);
        g_autoptr(GError) failure = NULL;

        if (g_hash_table_contains(batch->removed, name) || remove_one(s3, &doomed[i], &failure))
            continue;
        if (removal->refused && !is_away(failure) &&
            removal->refused(s3, &doomed[i], failure, removal->user))
            continue;
        fail(removal, g_steal_pointer(&failure));
        if (is_away(removal->first))
            return;
    }
}

/* Keys that the answer leaves out or refuses are removed one by one: that shows why. False: there
 * is no point in going on. */
static bool remove_batch(Removal *removal, const S3Doomed *doomed, size_t n)
{
    S3Store *s3 = removal->s3;
    g_autoptr(GError) failure = NULL;
    g_auto(Batch)
        batch = { .removed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };

    if (n > 1 && !atomic_load(&s3->no_batches) && !ask_for_batch(s3, doomed, n, &batch, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED))
            atomic_store(&s3->no_batches, true);
        if (is_away(failure)) {
            fail(removal, g_steal_pointer(&failure));
            return false;
        }
    }
    remove_each(removal, doomed, n, &batch);
    return !removal->first || !is_away(removal->first);
}

bool s3_remove_all(S3Store *s3, const S3Doomed *doomed, size_t n, S3Refused refused, void *user,
                   GError **error)
{
    Removal removal = { .s3 = s3, .refused = refused, .user = user };

    for (size_t i = 0; i < n; i += BATCH)
        if (!remove_batch(&removal, doomed + i, MIN(n - i, BATCH)))
            break;
    if (!removal.first)
        return true;
    g_propagate_error(error, removal.first);
    return false;
}

bool s3_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    g_autofree S3Doomed *doomed = g_new0(S3Doomed, n);

    for (size_t i = 0; i < n; i++)
        doomed[i].key = keys[i];
    return s3_remove_all((S3Store *)store, doomed, n, NULL, NULL, error);
}
