/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/locktext.h"

#include "base/error.h"
#include "lib/vectors.h"

static void writes_what_it_reads(void)
{
    json_t *vectors = vectors_load();
    const char *text = vector_text(json_object_get(vectors, "lock"), "plaintext_text");
    g_autofree char *again = NULL;
    g_autoptr(GError) error = NULL;
    LockText lock;

    locktext_decode(text, strlen(text), &lock, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(lock.time.nsec, ==, 123456789);
    g_assert_true(lock.exclusive);
    g_assert_cmpstr(lock.hostname, ==, "fixture-host");
    g_assert_cmpstr(lock.username, ==, "root");
    g_assert_cmpint(lock.pid, ==, 4242);
    again = locktext_encode(&lock);
    g_assert_cmpstr(again, ==, text);
    locktext_done(&lock);
    json_decref(vectors);
}

/* The order of fields is that of the format, "Locks". */
static void numbers_of_users_are_written_unless_zero(void)
{
    LockText lock = {
        .hostname = (char *)"h\"<", .username = (char *)"", .pid = 1, .uid = 1000, .gid = 4294967295
    };
    g_autofree char *text = locktext_encode(&lock);

    g_assert_cmpstr(
        text, ==,
        "{\"time\":\"1970-01-01T00:00:00Z\",\"exclusive\":false,\"hostname\":\"h\\\"\\u003c\","
        "\"username\":\"\",\"pid\":1,\"uid\":1000,\"gid\":4294967295}");
}

static void takes_what_it_must_and_no_more(void)
{
    static const struct {
        const char *label, *text;
        bool want;
    } cases[] = {
        { "only a time", "{\"time\":\"2026-01-01T10:00:00+01:00\"}", true },
        { "null where it may be",
          "{\"time\":\"2026-01-01T10:00:00Z\",\"hostname\":null,\"uid\":null}", true },
        { "no time", "{\"exclusive\":true}", false },
        { "a time that is none", "{\"time\":\"yesterday\"}", false },
        { "exclusive, perhaps", "{\"time\":\"2026-01-01T10:00:00Z\",\"exclusive\":1}", false },
        { "an array", "[\"time\"]", false },
        { "nothing", "", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        LockText lock;
        bool ok = locktext_decode(cases[i].text, strlen(cases[i].text), &lock, &error);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(ok, ==, cases[i].want);
        if (!ok) {
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            continue;
        }
        g_assert_false(lock.exclusive);
        g_assert_cmpstr(lock.hostname, ==, "");
        locktext_done(&lock);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/locktext/writes_what_it_reads", writes_what_it_reads);
    g_test_add_func("/repo/locktext/numbers_of_users_are_written_unless_zero",
                    numbers_of_users_are_written_unless_zero);
    g_test_add_func("/repo/locktext/takes_what_it_must_and_no_more",
                    takes_what_it_must_and_no_more);
    return g_test_run();
}
