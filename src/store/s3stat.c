/* SPDX-License-Identifier: Apache-2.0 */
/* How large an object is, and what else its headers say. */
#include "store/s3ops.h"

#include "base/error.h"

#include <string.h>

/* What a server says that is there, but does not do it. */
static bool needs_reason(unsigned status)
{
    return status / 100 == 3 || (status / 100 == 4 && status != 408 && status != 429);
}

/* A GET whose body need not come. */
static bool get_headers(S3Store *s3, const char *key, const char *query, HttpReply *ret_reply,
                        GError **error)
{
    char none;
    S3Call call = {
        .verb = "stat", .method = "GET", .key = key, .query = query, .into = &none, .into_len = 0
    };

    return s3_call(s3, &call, ret_reply, error);
}

bool s3_head(S3Store *s3, const char *key, const char *query, HttpReply *ret_reply, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_auto(S3Refusal) refusal = { 0 };
    S3Call call = {
        .verb = "stat", .method = "HEAD", .key = key, .query = query, .ret_refusal = &refusal
    };

    if (s3_call(s3, &call, ret_reply, &failure))
        return true;
    // a refused HEAD has no body that says why
    if (needs_reason(refusal.status))
        return get_headers(s3, key, query, ret_reply, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- by headers ---- */

static bool take_length(const HttpReply *reply, uint64_t *ret_size)
{
    const char *text = http_reply_header(reply, "content-length");

    return text && g_ascii_isdigit(*text) &&
           g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret_size, NULL);
}

static bool stat_by_headers(S3Store *s3, const char *key, uint64_t *ret_size, GError **error)
{
    g_auto(HttpReply) head = { 0 };
    g_auto(HttpReply) got = { 0 };

    if (!s3_head(s3, key, NULL, &head, error))
        return false;
    if (!http_reply_header(&head, "transfer-encoding") && take_length(&head, ret_size))
        return true;
    // some answers to a HEAD have no length
    if (!get_headers(s3, key, NULL, &got, error))
        return false;
    if (take_length(&got, ret_size))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "s3: stat %s: the server tells no length",
                key);
    return false;
}

/* ---- by listing ---- */

/* The key itself is the first of all that begin with it. */
bool s3_stat_by_list(S3Store *s3, const char *key, uint64_t *ret_size, GError **error)
{
    g_autofree char *full = s3_full_key(s3, key);
    g_autoptr(GString) query = g_string_new("list-type=2&max-keys=1&encoding-type=url");
    g_auto(S3Page) page = { 0 };
    const S3Entry *first;

    s3_query_add(query, "prefix", full);
    if (!s3_get_page(s3, query->str, key, s3_page_read_objects, &page, NULL, error))
        return false;
    first = page.entries->len > 0 ? g_ptr_array_index(page.entries, 0) : NULL;
    if (first && strcmp(first->key, full) == 0) {
        *ret_size = first->size;
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "s3: stat %s: no such object", key);
    return false;
}

/* Who may add but not read may still list: a writer must see what it wrote. */
bool s3_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    S3Store *s3 = (S3Store *)store;
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) failure = NULL;

    if (!atomic_load(&s3->stats_by_list)) {
        if (stat_by_headers(s3, key, ret_size, &refused))
            return true;
        if (!g_error_matches(refused, BS_ERROR, BS_ERROR_DENIED)) {
            g_propagate_error(error, g_steal_pointer(&refused));
            return false;
        }
    }
    if (s3_stat_by_list(s3, key, ret_size, &failure)) {
        atomic_store(&s3->stats_by_list, true);
        return true;
    }
    g_propagate_error(error, refused && g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED)
                                 ? g_steal_pointer(&refused)
                                 : g_steal_pointer(&failure));
    return false;
}
