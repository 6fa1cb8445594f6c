/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3page.h"

#include "base/error.h"
#include "codec/rfc3339.h"
#include "store/s3xml.h"

#include <stdarg.h>
#include <string.h>

static void entry_free(gpointer pointer)
{
    S3Entry *entry = pointer;

    g_free(entry->key);
    g_free(entry->id);
    g_free(entry);
}

void s3_page_clear(S3Page *page)
{
    g_clear_pointer(&page->entries, g_ptr_array_unref);
    g_clear_pointer(&page->token, g_free);
    g_clear_pointer(&page->next_key_marker, g_free);
    g_clear_pointer(&page->next_id_marker, g_free);
    *page = (S3Page){ 0 };
}

bool s3_page_incomplete(GError **error, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "the listing is incomplete: %s", why);
    return false;
}

/* ---- reading ---- */

/* What a page is of. */
typedef struct {
    const char *root, *item; /* "ListBucketResult", "Contents" */
    const char *removed;     /* "DeleteMarker", an item without a size; NULL: there is none such */
    const char *id;          /* "UploadId", what each item must have; NULL: nothing more */
    bool sized;
} PageKind;

typedef struct {
    const PageKind *kind;
    S3Page page;
    S3Entry *entry; /* the one that is being read */
    bool rooted, told_if_truncated, url_encoded, has_size, has_time;
    uint64_t count; /* KeyCount */
    bool has_count;
    uint64_t n_others; /* common prefixes count as keys */
} PageReading;

static void page_reading_done(PageReading *reading)
{
    s3_page_clear(&reading->page);
    if (reading->entry)
        entry_free(reading->entry);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PageReading, page_reading_done)

static void take(char **place, const char *text)
{
    char *copy = g_strdup(text);

    g_free(*place);
    *place = copy;
}

static bool take_number(const char *text, uint64_t *ret_number)
{
    return g_ascii_isdigit(*text) &&
           g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret_number, NULL);
}

static bool take_time(const char *text, int64_t *ret_time)
{
    Timestamp time;

    if (!rfc3339_parse(text, strlen(text), &time, NULL))
        return false;
    *ret_time = time.sec;
    return true;
}

/* An element inside of an item. */
static void take_part(PageReading *reading, const char *name, const char *text)
{
    S3Entry *entry = reading->entry;

    if (!entry)
        entry = reading->entry = g_new0(S3Entry, 1);
    if (g_str_equal(name, "Key"))
        take(&entry->key, text);
    else if (g_strcmp0(name, reading->kind->id) == 0)
        take(&entry->id, text);
    else if (g_str_equal(name, "IsLatest"))
        entry->latest = g_str_equal(text, "true");
    else if (g_str_equal(name, "Size"))
        reading->has_size = take_number(text, &entry->size);
    else if (g_str_equal(name, "LastModified") || g_str_equal(name, "Initiated"))
        reading->has_time = take_time(text, &entry->modified_at);
}

static bool end_item(PageReading *reading, bool removed, GError **error)
{
    const PageKind *kind = reading->kind;
    S3Entry *entry = reading->entry;

    if (!entry || !entry->key || !*entry->key || !reading->has_time || (kind->id && !entry->id) ||
        (kind->sized && !removed && !reading->has_size))
        return s3_page_incomplete(error, "an entry lacks its key, size or time");
    entry->removed = removed;
    g_ptr_array_add(reading->page.entries, g_steal_pointer(&reading->entry));
    reading->has_size = reading->has_time = false;
    return true;
}

/* An element of the page itself. */
static bool take_fact(PageReading *reading, const char *name, const char *text, GError **error)
{
    bool removed = g_strcmp0(name, reading->kind->removed) == 0;

    if (removed || g_str_equal(name, reading->kind->item))
        return end_item(reading, removed, error);
    if (g_str_equal(name, "IsTruncated")) {
        reading->told_if_truncated = g_str_equal(text, "true") || g_str_equal(text, "false");
        reading->page.truncated = g_str_equal(text, "true");
    } else if (g_str_equal(name, "KeyCount")) {
        reading->has_count = take_number(text, &reading->count);
    } else if (g_str_equal(name, "CommonPrefixes")) {
        reading->n_others++;
    } else if (g_str_equal(name, "EncodingType")) {
        reading->url_encoded = g_ascii_strcasecmp(text, "url") == 0;
    } else if (g_str_equal(name, "NextContinuationToken") && *text) {
        take(&reading->page.token, text);
    } else if (g_str_equal(name, "NextKeyMarker") && *text) {
        take(&reading->page.next_key_marker, text);
    } else if (g_str_equal(name, "NextUploadIdMarker") && *text) {
        take(&reading->page.next_id_marker, text);
    } else if (g_str_equal(name, "NextVersionIdMarker") && *text) {
        take(&reading->page.next_id_marker, text);
    }
    return true;
}

/* The rest of a path inside of an item; NULL: it is none. */
static const char *inside(const char *name, const char *item)
{
    size_t len = item ? strlen(item) : 0;

    return item && g_str_has_prefix(name, item) && name[len] == '/' ? name + len + 1 : NULL;
}

static bool take_element(const char *path, const char *text, void *user, GError **error)
{
    PageReading *reading = user;
    const PageKind *kind = reading->kind;
    const char *name = inside(path, kind->root);
    const char *part = name ? inside(name, kind->item) : NULL;

    if (g_str_equal(path, kind->root))
        reading->rooted = true;
    if (!name)
        return true;
    if (!part)
        part = inside(name, kind->removed);
    if (!part)
        return take_fact(reading, name, text, error);
    take_part(reading, part, text);
    return true;
}

/* ---- what it is as a whole ---- */

/* Form encoding, in which '+' is a space and "%2B" a plus. */
static bool decode(char **text, GError **error)
{
    char *plain;

    if (!*text)
        return true;
    for (char *c = *text; *c; c++)
        if (*c == '+')
            *c = ' ';
    plain = g_uri_unescape_string(*text, NULL);
    if (!plain)
        return s3_page_incomplete(error, "a key is not encoded as it says");
    g_free(*text);
    *text = plain;
    return true;
}

static bool decode_keys(S3Page *page, GError **error)
{
    for (guint i = 0; i < page->entries->len; i++) {
        S3Entry *entry = g_ptr_array_index(page->entries, i);

        if (!decode(&entry->key, error))
            return false;
    }
    return decode(&page->next_key_marker, error);
}

static bool check_whole(const PageReading *reading, GError **error)
{
    const S3Page *page = &reading->page;

    if (!reading->rooted || !reading->told_if_truncated)
        return s3_page_incomplete(error, "the answer is not a %s", reading->kind->root);
    if (reading->has_count && reading->count != page->entries->len + reading->n_others)
        return s3_page_incomplete(error,
                                  "a page of %" G_GUINT64_FORMAT " keys holds %" G_GUINT64_FORMAT,
                                  reading->count, page->entries->len + reading->n_others);
    if (page->truncated && !page->token && !page->next_key_marker)
        return s3_page_incomplete(error, "there is more, but the server does not say where");
    return true;
}

static bool read_page(const char *xml, size_t len, const PageKind *kind, S3Page *ret_page,
                      GError **error)
{
    g_auto(PageReading) reading = { .kind = kind };
    g_autoptr(GError) failure = NULL;

    reading.page.entries = g_ptr_array_new_with_free_func(entry_free);
    if (!s3_xml_read(xml, len, take_element, &reading, &failure)) {
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT))
            return s3_page_incomplete(error, "%s", failure->message);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!check_whole(&reading, error) ||
        (reading.url_encoded && !decode_keys(&reading.page, error)))
        return false;
    *ret_page = reading.page;
    reading.page = (S3Page){ 0 };
    return true;
}

bool s3_page_read_objects(const char *xml, size_t len, S3Page *ret_page, GError **error)
{
    static const PageKind kind = { "ListBucketResult", "Contents", NULL, NULL, true };

    return read_page(xml, len, &kind, ret_page, error);
}

bool s3_page_read_uploads(const char *xml, size_t len, S3Page *ret_page, GError **error)
{
    static const PageKind kind = { "ListMultipartUploadsResult", "Upload", NULL, "UploadId",
                                   false };

    return read_page(xml, len, &kind, ret_page, error);
}

bool s3_page_read_versions(const char *xml, size_t len, S3Page *ret_page, GError **error)
{
    static const PageKind kind = { "ListVersionsResult", "Version", "DeleteMarker", "VersionId",
                                   true };

    return read_page(xml, len, &kind, ret_page, error);
}

/* ---- among other pages ---- */

bool s3_page_check_order(const S3Page *page, const char *prefix, bool strictly, char **last,
                         GError **error)
{
    const char *before = *last;

    for (guint i = 0; i < page->entries->len; i++) {
        const S3Entry *entry = g_ptr_array_index(page->entries, i);
        int order = strcmp(entry->key, before);

        if (!g_str_has_prefix(entry->key, prefix))
            return s3_page_incomplete(error, "%s is not below %s", entry->key, prefix);
        if (order < 0 || (strictly && order == 0))
            return s3_page_incomplete(error, "%s comes after %s", entry->key, before);
        before = entry->key;
    }
    take(last, before);
    return true;
}
