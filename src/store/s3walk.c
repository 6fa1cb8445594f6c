/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of more than one entry a key, which go on at a key and an id. */
#include "store/s3ops.h"

#define PAGES_MAX 100000 /* of a thousand; a server that sends more goes round in circles */

static bool next_page(S3Store *s3, const S3Listing *listing, const char *prefix,
                      const char *subject, const S3Page *before, S3Page *ret_page, int64_t *ret_now,
                      GError **error)
{
    g_autoptr(GString) query = g_string_new(listing->query);

    s3_query_add(query, "prefix", prefix);
    s3_query_add(query, "key-marker", before->next_key_marker);
    s3_query_add(query, listing->id_marker, before->next_id_marker);
    return s3_get_page(s3, query->str, subject, listing->read, ret_page, ret_now, error);
}

static bool check_page(const S3Page *page, const S3Page *before, const char *prefix, char **last,
                       GError **error)
{
    if (page->truncated && g_strcmp0(page->next_key_marker, before->next_key_marker) == 0 &&
        g_strcmp0(page->next_id_marker, before->next_id_marker) == 0)
        return s3_page_incomplete(error, "the next page is the same again");
    return s3_page_check_order(page, prefix, false, last, error);
}

static bool tell_page(S3Store *s3, const S3Page *page, int64_t now, S3EachEntry each, void *user,
                      GError **error)
{
    for (guint i = 0; i < page->entries->len; i++) {
        const S3Entry *entry = g_ptr_array_index(page->entries, i);
        const char *key = s3_key_of(s3, entry->key);

        if (key && !each(s3, key, entry, now, user, error))
            return false;
    }
    return true;
}

bool s3_walk(S3Store *s3, const S3Listing *listing, const char *below, S3EachEntry each, void *user,
             GError **error)
{
    const char *subject = *below ? below : "everything";
    g_autofree char *prefix = s3_full_key(s3, below);
    g_autofree char *last = g_strdup("");
    g_auto(S3Page) before = { 0 };

    for (unsigned n = 0; n < PAGES_MAX; n++) {
        g_auto(S3Page) page = { 0 };
        int64_t now;

        if (!next_page(s3, listing, prefix, subject, &before, &page, &now, error))
            return false;
        if (!check_page(&page, &before, prefix, &last, error)) {
            g_prefix_error(error, "s3: list %s %s: ", listing->noun, subject);
            return false;
        }
        if (!tell_page(s3, &page, now, each, user, error))
            return false;
        if (!page.truncated)
            return true;
        s3_page_clear(&before);
        before = page;
        page = (S3Page){ 0 };
    }
    (void)s3_page_incomplete(error, "it does not end");
    g_prefix_error(error, "s3: list %s %s: ", listing->noun, subject);
    return false;
}
