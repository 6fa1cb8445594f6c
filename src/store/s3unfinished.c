/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart uploads that nobody has completed: they are not listed, but they are paid for. */
#include "store/s3ops.h"
#include "store/s3xml.h"

#include "base/error.h"

#include <string.h>

/* No encoding-type: Ceph does encode then, but does not say so. */
static const S3Listing uploads_listing = { "uploads=", "uploads", "upload-id-marker",
                                           s3_page_read_uploads };

/* ---- how much lies there ---- */

typedef struct {
    uint64_t bytes;
    bool rooted, truncated;
    char *marker;
} Parts;

static bool take_part(const char *path, const char *text, void *user, GError **error)
{
    Parts *parts = user;
    guint64 size;

    if (g_str_equal(path, "ListPartsResult")) {
        parts->rooted = true;
    } else if (g_str_equal(path, "ListPartsResult/IsTruncated")) {
        parts->truncated = g_str_equal(text, "true");
    } else if (g_str_equal(path, "ListPartsResult/NextPartNumberMarker")) {
        g_free(parts->marker);
        parts->marker = g_strdup(text);
    } else if (g_str_equal(path, "ListPartsResult/Part/Size")) {
        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &size, NULL))
            return s3_page_incomplete(error, "a part has no size");
        parts->bytes += size;
    }
    return true;
}

static bool get_parts(S3Store *s3, const char *key, const char *upload_id, Parts *parts,
                      GError **error)
{
    g_autofree char *marker = g_steal_pointer(&parts->marker);
    g_autoptr(GString) query = g_string_new(NULL);
    g_auto(HttpReply) reply = { 0 };
    S3Call call = { .verb = "list parts of", .method = "GET", .key = key };
    bool whole;

    s3_query_add(query, "uploadId", upload_id);
    s3_query_add(query, "part-number-marker", marker);
    call.query = query->str;
    parts->rooted = parts->truncated = false;
    if (!s3_call(s3, &call, &reply, error))
        return false;
    whole = s3_xml_read((const char *)reply.body->data, reply.body->len, take_part, parts, error);
    if (whole && (!parts->rooted || (parts->truncated && g_strcmp0(parts->marker, marker) == 0)))
        whole = s3_page_incomplete(error, "the answer is not a list of parts");
    if (!whole)
        g_prefix_error(error, "s3: list parts of %s: ", key);
    return whole;
}

static bool sum_parts(S3Store *s3, const char *key, const char *upload_id, uint64_t *ret_bytes,
                      GError **error)
{
    Parts parts = { 0 };
    bool ok;

    do
        ok = get_parts(s3, key, upload_id, &parts, error);
    while (ok && parts.truncated);
    g_free(parts.marker);
    if (ok)
        *ret_bytes = parts.bytes;
    return ok;
}

typedef struct {
    StoreEach each;
    void *user;
} ListCall;

static bool tell_upload(S3Store *s3, const char *key, const S3Entry *upload,
                        G_GNUC_UNUSED int64_t now, void *user, GError **error)
{
    const ListCall *call = user;
    StoreObject object = { .key = key, .modified_at = upload->modified_at };
    g_autoptr(GError) failure = NULL;

    if (sum_parts(s3, key, upload->id, &object.size, &failure))
        return call->each(&object, call->user, error);
    // completed or given up since it was listed
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool s3_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                        GError **error)
{
    ListCall call = { each, user };

    return s3_walk((S3Store *)store, &uploads_listing, prefix, tell_upload, &call, error);
}

/* ---- removing ---- */

bool s3_abort_upload(S3Store *s3, const char *key, const char *upload_id, GError **error)
{
    g_autoptr(GString) query = g_string_new(NULL);
    g_autoptr(GError) failure = NULL;
    g_auto(HttpReply) reply = { 0 };
    S3Call call = { .verb = "abort", .method = "DELETE", .key = key };

    s3_query_add(query, "uploadId", upload_id);
    call.query = query->str;
    if (s3_call(s3, &call, &reply, &failure) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

typedef struct {
    const StoreLeftovers *places;
    size_t n;
    GPtrArray *old; /* of char *: key, upload id, and so on */
} RemoveCall;

/* Where we may remove it; NULL: nowhere. */
static const StoreLeftovers *place_of(const RemoveCall *call, const char *key)
{
    for (size_t i = 0; i < call->n; i++)
        if (g_str_has_prefix(key, call->places[i].prefix))
            return &call->places[i];
    return NULL;
}

/* Both times are the server's. */
static bool note_old(G_GNUC_UNUSED S3Store *s3, const char *key, const S3Entry *upload, int64_t now,
                     void *user, G_GNUC_UNUSED GError **error)
{
    const RemoveCall *call = user;
    const StoreLeftovers *place = place_of(call, key);

    if (place && upload->modified_at <= now - place->age_s) {
        g_ptr_array_add(call->old, g_strdup(key));
        g_ptr_array_add(call->old, g_strdup(upload->id));
    }
    return true;
}

/* Uploads are few: one listing for all places. */
bool s3_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                          GError **error)
{
    g_autoptr(GPtrArray) old = g_ptr_array_new_with_free_func(g_free);
    RemoveCall call = { places, n, old };
    const char *prefix = n == 1 ? places[0].prefix : "";

    // first the list, then the removals: they would move its pages
    if (!s3_walk((S3Store *)store, &uploads_listing, prefix, note_old, &call, error))
        return false;
    for (guint i = 0; i < old->len; i += 2)
        if (!s3_abort_upload((S3Store *)store, g_ptr_array_index(old, i),
                             g_ptr_array_index(old, i + 1), error))
            return false;
    *ret_n = old->len / 2;
    return true;
}
