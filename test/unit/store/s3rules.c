/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3rules.h"

#include "base/error.h"

#include <string.h>

/* "kind days prefix", one a line. */
static char *rules_text(const StoreGuard *guard)
{
    static const char *const kinds[] = { [STORE_RULE_EXPIRES] = "expires",
                                         [STORE_RULE_FREEZES] = "freezes",
                                         [STORE_RULE_EXPIRES_OLD] = "expires-old" };
    GString *text = g_string_new(NULL);

    for (guint i = 0; guard->rules && i < guard->rules->len; i++) {
        const StoreRule *rule = g_ptr_array_index(guard->rules, i);

        g_string_append_printf(text, "%s %s %u '%s'\n", rule->name, kinds[rule->kind], rule->days,
                               rule->prefix);
    }
    return g_string_free(text, FALSE);
}

#define RULE(inner) "<Rule><ID>r</ID><Status>Enabled</Status>" inner "</Rule>"
#define EXPIRES     "<Expiration><Days>30</Days></Expiration>"

static void lifecycle_rules_are_told_when_they_touch_us(void)
{
    static const struct {
        const char *label, *rules, *want;
    } cases[] = {
        { "no rules", "", "" },
        { "of the whole bucket, no prefix at all", RULE(EXPIRES), "r expires 30 ''\n" },
        { "empty prefix, the old form", RULE("<Prefix></Prefix>" EXPIRES), "r expires 30 ''\n" },
        { "filter", RULE("<Filter><Prefix>our/</Prefix></Filter>" EXPIRES), "r expires 30 ''\n" },
        { "begins like us", RULE("<Filter><Prefix>ou</Prefix></Filter>" EXPIRES),
          "r expires 30 ''\n" },
        { "below us", RULE("<Filter><Prefix>our/place/data/</Prefix></Filter>" EXPIRES),
          "r expires 30 'data/'\n" },
        { "below us, not at a slash", RULE("<Prefix>our/place/da</Prefix>" EXPIRES),
          "r expires 30 'da'\n" },
        { "and",
          RULE("<Filter><And><Prefix>our/</Prefix><ObjectSizeGreaterThan>5"
               "</ObjectSizeGreaterThan></And></Filter>" EXPIRES),
          "r expires 30 ''\n" },
        { "a neighbour", RULE("<Filter><Prefix>our/place2/</Prefix></Filter>" EXPIRES), "" },
        { "by tag", RULE("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>" EXPIRES), "" },
        { "by tag and prefix",
          RULE("<Filter><And><Prefix></Prefix><Tag><Key>a</Key></Tag></And>"
               "</Filter>" EXPIRES),
          "" },
        { "off", "<Rule><ID>r</ID><Status>Disabled</Status>" EXPIRES "</Rule>", "" },
        { "at a date", RULE("<Expiration><Date>2026-01-01T00:00:00Z</Date></Expiration>"),
          "r expires 0 ''\n" },
        { "delete markers only",
          RULE("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
               "</Expiration>"),
          "" },
        { "old versions",
          RULE("<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays>"
               "</NoncurrentVersionExpiration>"),
          "r expires-old 7 ''\n" },
        { "unfinished uploads",
          RULE("<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
               "</AbortIncompleteMultipartUpload>"),
          "" },
        { "to where it is cold, and colder",
          RULE("<Transition><Days>5</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"
               "<Transition><Days>9</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>"),
          "r freezes 9 ''\n" },
        { "cold but at once",
          RULE("<Transition><Days>5</Days><StorageClass>GLACIER_IR"
               "</StorageClass></Transition>"),
          "" },
        { "several",
          RULE(EXPIRES) "<Rule><Status>Enabled</Status><Prefix>our/place/wal/</Prefix>"
                        "<Expiration><Days>1</Days></Expiration></Rule>",
          "r expires 30 ''\n expires 1 'wal/'\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/"
            "2006-03-01/\">%s</LifecycleConfiguration>",
            cases[i].rules);
        g_auto(StoreGuard) guard = { 0 };
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        s3_rules_read_lifecycle(xml, strlen(xml), "our/place/", &guard, &error);
        g_assert_no_error(error);
        text = rules_text(&guard);
        g_assert_cmpstr(text, ==, cases[i].want);
        g_assert_cmpint(guard.ruled, ==, *cases[i].want ? STORE_ON : STORE_OFF);
    }
}

static void a_bucket_without_prefix_is_all_ours(void)
{
    static const char xml[] = "<LifecycleConfiguration>" RULE(
        "<Prefix>data/</Prefix>" EXPIRES) "</LifecycleConfiguration>";
    g_auto(StoreGuard) guard = { 0 };
    g_autofree char *text = NULL;

    g_assert_true(s3_rules_read_lifecycle(xml, strlen(xml), "", &guard, NULL));
    text = rules_text(&guard);
    g_assert_cmpstr(text, ==, "r expires 30 'data/'\n");
}

static void versioning_is_on_only_when_enabled(void)
{
    static const struct {
        const char *inner;
        StoreState want;
    } cases[] = { { "", STORE_OFF },
                  { "<Status>Enabled</Status>", STORE_ON },
                  { "<Status>Suspended</Status>", STORE_OFF } };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<VersioningConfiguration>%s</VersioningConfiguration>", cases[i].inner);
        g_auto(StoreGuard) guard = { 0 };

        g_assert_true(s3_rules_read_versioning(xml, strlen(xml), &guard, NULL));
        g_assert_cmpint(guard.versions, ==, cases[i].want);
    }
}

static void the_default_lock_is_told(void)
{
    static const struct {
        const char *rule, *mode;
        unsigned days;
    } cases[] = {
        { "", NULL, 0 },
        { "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule>",
          "governance", 2 },
        { "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention>"
          "</Rule>",
          "compliance", 730 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>%s"
            "</ObjectLockConfiguration>",
            cases[i].rule);
        g_auto(StoreGuard) guard = { 0 };

        g_assert_true(s3_rules_read_lock(xml, strlen(xml), &guard, NULL));
        g_assert_cmpint(guard.locks, ==, STORE_ON);
        g_assert_cmpstr(guard.lock_mode, ==, cases[i].mode);
        g_assert_cmpuint(guard.lock_days, ==, cases[i].days);
    }
}

/* A server that does not know the question may answer another one, such as for a list. */
static void other_documents_are_no_answer(void)
{
    static const char *const documents[] = { "", "{}", "<ListBucketResult/>",
                                             "<LifecycleConfiguration>" };

    for (size_t i = 0; i < G_N_ELEMENTS(documents); i++) {
        size_t len = strlen(documents[i]);
        g_auto(StoreGuard) guard = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_false(s3_rules_read_versioning(documents[i], len, &guard, NULL));
        g_assert_false(s3_rules_read_lock(documents[i], len, &guard, NULL));
        g_assert_false(s3_rules_read_lifecycle(documents[i], len, "", &guard, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(fact, run) g_test_add_func("/s3rules/" fact, run)
    TEST("lifecycle rules are told when they touch us",
         lifecycle_rules_are_told_when_they_touch_us);
    TEST("a bucket without prefix is all ours", a_bucket_without_prefix_is_all_ours);
    TEST("versioning is on only when enabled", versioning_is_on_only_when_enabled);
    TEST("the default lock is told", the_default_lock_is_told);
    TEST("other documents are no answer", other_documents_are_no_answer);
    return g_test_run();
}
