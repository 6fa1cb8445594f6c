/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the answer of an S3 server: a page that is accepted is one that says whether it is
 * the last, and is in order when that was asked for; a refusal's words fit on a line. */
#include "store/s3page.h"
#include "store/s3refusal.h"
#include "store/s3rules.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

typedef bool (*Read)(const char *xml, size_t len, S3Page *ret_page, GError **error);

static void reads_page(const char *xml, size_t len, Read read)
{
    g_auto(S3Page) page = { 0 };
    g_autofree char *last = g_strdup("");
    g_autoptr(GError) error = NULL;

    if (!read(xml, len, &page, &error)) {
        g_assert_nonnull(error);
        g_assert_null(page.entries);
        return;
    }
    for (guint i = 0; i < page.entries->len; i++) {
        const S3Entry *entry = g_ptr_array_index(page.entries, i);

        g_assert_true(*entry->key);
        g_assert_cmpint(entry->id != NULL, ==, read != s3_page_read_objects);
    }
    if (s3_page_check_order(&page, "", true, &last, NULL) && page.entries->len > 0)
        g_assert_cmpstr(
            last, ==,
            ((const S3Entry *)g_ptr_array_index(page.entries, page.entries->len - 1))->key);
}

static void reads_rules(const char *xml, size_t len)
{
    g_auto(StoreGuard) guard = { 0 };

    (void)s3_rules_read_versioning(xml, len, &guard, NULL);
    (void)s3_rules_read_lock(xml, len, &guard, NULL);
    (void)s3_rules_read_lifecycle(xml, len, "our/prefix/", &guard, NULL);
    for (guint i = 0; guard.rules && i < guard.rules->len; i++) {
        const StoreRule *rule = g_ptr_array_index(guard.rules, i);

        g_assert_nonnull(rule->name);
        g_assert_nonnull(rule->prefix);
    }
}

static void reads_refusal(const uint8_t *data, size_t len, unsigned status)
{
    g_auto(HttpReply) reply = { .status = status,
                                .headers = g_hash_table_new(g_str_hash, g_str_equal),
                                .body = g_byte_array_append(g_byte_array_new(), data, (guint)len) };
    g_auto(S3Refusal) refusal = { 0 };
    g_autoptr(GError) error = NULL;

    if (!s3_refusal_read(&reply, &refusal)) {
        g_assert_cmpuint(status, ==, 200);
        return;
    }
    s3_refusal_to_error(&refusal, &error);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    for (const char *c = error->message; *c; c++)
        g_assert_false(g_ascii_iscntrl(*c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 65536)
        return 0;
    reads_page((const char *)data, len, s3_page_read_objects);
    reads_page((const char *)data, len, s3_page_read_uploads);
    reads_page((const char *)data, len, s3_page_read_versions);
    reads_rules((const char *)data, len);
    reads_refusal(data, len, 200);
    reads_refusal(data, len, 403);
    return 0;
}
