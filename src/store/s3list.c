/* SPDX-License-Identifier: Apache-2.0 */
/* Listing objects page by page; complete, as far as one can see, or an error. */
#include "store/s3ops.h"
#include "store/s3page.h"

#include <string.h>

#define PAGE_MAX        ((size_t)16 * 1024 * 1024) /* 1000 long keys, escaped, are 4 MB */
#define EMPTY_PAGES_MAX 1000 /* a server may give some while it looks for keys */

void s3_query_add(GString *query, const char *name, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(query, "%s%s=", query->len > 0 ? "&" : "", name);
    sigv4_escape(query, value, false);
}

bool s3_get_page(S3Store *s3, const char *query, const char *subject, S3ReadPage read,
                 S3Page *ret_page, int64_t *ret_now, GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    S3Call call = {
        .verb = "list", .method = "GET", .subject = subject, .query = query, .bound = PAGE_MAX
    };

    if (!s3_call(s3, &call, &reply, error))
        return false;
    if (ret_now)
        *ret_now = http_reply_date(&reply);
    if (read((const char *)reply.body->data, reply.body->len, ret_page, error))
        return true;
    g_prefix_error(error, "s3: list %s: ", subject);
    return false;
}

const char *s3_key_of(const S3Store *s3, const char *full)
{
    size_t skip = *s3->place.prefix ? strlen(s3->place.prefix) + 1 : 0;

    return store_key_is_valid(full + skip) ? full + skip : NULL;
}

/* ---- objects ---- */

typedef struct {
    S3Store *s3;
    const char *subject;
    char *prefix;       /* as the bucket knows it */
    char *last, *token; /* of the page before */
    unsigned empty_pages;
} Listing;

static void listing_done(Listing *listing)
{
    g_free(listing->prefix);
    g_free(listing->last);
    g_free(listing->token);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listing, listing_done)

static bool next_page(Listing *listing, S3Page *ret_page, GError **error)
{
    g_autoptr(GString) query = g_string_new(NULL);

    s3_query_add(query, "list-type", "2");
    s3_query_add(query, "encoding-type", "url");
    s3_query_add(query, "prefix", listing->prefix);
    s3_query_add(query, "continuation-token", listing->token);
    return s3_get_page(listing->s3, query->str, listing->subject, s3_page_read_objects, ret_page,
                       NULL, error);
}

/* Nothing is told of a page that does not follow the one before. */
static bool check_page(Listing *listing, const S3Page *page, GError **error)
{
    if (page->truncated && !page->token)
        return s3_page_incomplete(error, "there is more, but the server does not say where");
    if (page->truncated && g_strcmp0(page->token, listing->token) == 0)
        return s3_page_incomplete(error, "the next page is the same again");
    listing->empty_pages = page->entries->len == 0 ? listing->empty_pages + 1 : 0;
    if (listing->empty_pages > EMPTY_PAGES_MAX)
        return s3_page_incomplete(error, "one page after the other is empty");
    return s3_page_check_order(page, listing->prefix, true, &listing->last, error);
}

static bool tell_page(const Listing *listing, const S3Page *page, StoreEach each, void *user,
                      GError **error)
{
    for (guint i = 0; i < page->entries->len; i++) {
        const S3Entry *entry = g_ptr_array_index(page->entries, i);
        StoreObject object = { .key = s3_key_of(listing->s3, entry->key),
                               .size = entry->size,
                               .modified_at = entry->modified_at };

        if (object.key && !each(&object, user, error))
            return false;
    }
    return true;
}

bool s3_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    S3Store *s3 = (S3Store *)store;
    g_auto(Listing) listing = { .s3 = s3,
                                .subject = *prefix ? prefix : "everything",
                                .prefix = s3_full_key(s3, prefix),
                                .last = g_strdup("") };

    for (;;) {
        g_auto(S3Page) page = { 0 };

        if (!next_page(&listing, &page, error))
            return false;
        if (!check_page(&listing, &page, error)) {
            g_prefix_error(error, "s3: list %s: ", listing.subject);
            return false;
        }
        if (!tell_page(&listing, &page, each, user, error))
            return false;
        if (!page.truncated)
            return true;
        g_free(listing.token);
        listing.token = g_steal_pointer(&page.token);
    }
}
