/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walobject.h"

#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "store/local.h"
#include "store/memory.h"

#include <string.h>

#define CLUSTER UINT64_C(7301234567890123456)
#define SEGMENT "000000010000001600000042"
#define KEY     "wal/7301234567890123456/00000001/" SEGMENT

/* ---- helpers ---- */

static WalObject object_of(const char *name)
{
    WalObject object;

    g_assert_true(wal_object_init(&object, CLUSTER, name, NULL));
    return object;
}

static bool put(Repo *repo, const char *name, const char *content, bool *ret_was_there,
                GError **error)
{
    WalObject object = object_of(name);

    return wal_object_put(repo, &object, content, strlen(content), ret_was_there, NULL, error);
}

static void assert_put(Repo *repo, const char *name, const char *content, bool was_there)
{
    g_autoptr(GError) error = NULL;
    bool there = !was_there;

    put(repo, name, content, &there, &error);
    g_assert_no_error(error);
    g_assert_cmpint(there, ==, was_there);
}

static void assert_holds(Repo *repo, const char *name, const char *content)
{
    WalObject object = object_of(name);
    g_autoptr(GBytes) got = NULL;
    g_autoptr(GError) error = NULL;

    wal_object_get(repo, &object, &got, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), content, strlen(content));
}

static void assert_fails(Repo *repo, const char *name, int code, const char *says)
{
    WalObject object = object_of(name);
    g_autoptr(GBytes) got = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(wal_object_get(repo, &object, &got, &error));
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, says));
    g_assert_null(got);
}

/* ---- names ---- */

static void names_become_keys_and_come_back(void)
{
    static const struct {
        const char *name, *key;
    } cases[] = {
        { SEGMENT, KEY },
        { "00000002.history", "wal/7301234567890123456/00000002/00000002.history" },
        { "0000000A0000001600000042.00000028.backup",
          "wal/7301234567890123456/0000000A/0000000A0000001600000042.00000028.backup" },
        { SEGMENT ".partial", KEY ".partial" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        WalObject object = object_of(cases[i].name), again;

        g_assert_cmpstr(wal_object_key(&object).text, ==, cases[i].key);
        g_assert_true(wal_object_parse_key(cases[i].key, &again));
        g_assert_cmpstr(again.name, ==, cases[i].name);
        g_assert_cmpuint(again.system_id, ==, CLUSTER);
    }
}

static void other_names_are_refused(void)
{
    static const char *const names[] = { "",
                                         "00000001",
                                         "0000000a0000001600000042",
                                         "00000000.history",
                                         "0000000x.history",
                                         "00000001/../../config",
                                         SEGMENT "-tmp-1",
                                         "000000010000001600000042000000000000000000000000000000000"
                                         "0000000" };
    static const char *const keys[] = {
        "wal/1",
        "wal/1/" SEGMENT,
        "wal/01/00000001/" SEGMENT,
        "wal/-1/00000001/" SEGMENT,
        "wal/0/00000001/" SEGMENT,
        "wal/1/00000002/" SEGMENT,
        "wal/1/1/00000001/" SEGMENT,
        "wal/99999999999999999999/00000001/" SEGMENT,
        "data/1/00000001/" SEGMENT,
    };
    WalObject object;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(wal_object_init(&object, 1, names[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
    g_assert_false(wal_object_init(&object, 0, SEGMENT, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_test_message("%s", keys[i]);
        g_assert_false(wal_object_parse_key(keys[i], &object));
    }
}

/* ---- the header ---- */

#define HEADER                                                                                     \
    "{\"system_identifier\":\"7301234567890123456\",\"timeline\":1,\"name\":\"" SEGMENT            \
    "\",\"length\":5,\"sha256\":"                                                                  \
    "\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}\n"

static void the_header_says_all_of_it(void)
{
    WalHeader header = { .object = object_of(SEGMENT), .len = 5 }, again;
    g_autofree char *text = NULL;
    size_t len;

    hash_bytes("hello", 5, &header.sha256);
    text = wal_header_encode(&header);
    g_assert_cmpstr(text, ==, HEADER);
    g_assert_true(wal_header_decode(HEADER "hello", strlen(HEADER "hello"), &again, &len, NULL));
    g_assert_cmpuint(len, ==, strlen(HEADER));
    g_assert_cmpuint(again.object.system_id, ==, CLUSTER);
    g_assert_cmpstr(again.object.name, ==, SEGMENT);
    g_assert_cmpuint(again.len, ==, 5);
    g_assert_true(id_equal(&again.sha256, &header.sha256));
}

/* Each piece of a good header replaced by a bad one. */
static void every_field_of_the_header_must_be_right(void)
{
    static const struct {
        const char *piece, *by;
    } cases[] = {
        { "\"7301234567890123456\"", "7301234567890123456" },
        { "7301234567890123456", "0" },
        { "7301234567890123456", "-1" },
        { "7301234567890123456", "99999999999999999999" },
        { "system_identifier", "system" },
        { "\"timeline\":1", "\"timeline\":2" },
        { "\"timeline\":1", "\"timeline\":\"1\"" },
        { "\"timeline\":1,", "" },
        { SEGMENT, "00000001" },
        { SEGMENT, "000000020000001600000042" },
        { "\"name\"", "\"nome\"" },
        { ":5,", ":-5," },
        { ":5,", ":1073741825," },
        { ":5,", ":5.0," },
        { "\"length\":5,", "" },
        { "2cf24d", "2CF24D" },
        { "2cf24d", "2cf24" },
        { "sha256", "sha1" },
        { "\"length\":5", "\"length\":5,\"length\":5" },
        { "}", "" },
        { "\n", "" },
        { "{", "[" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(HEADER, cases[i].piece, 2);
        g_autofree char *text = g_strconcat(parts[0], cases[i].by, parts[1], NULL);
        g_autoptr(GError) error = NULL;
        WalHeader header;
        size_t len;

        g_test_message("%s", text);
        g_assert_false(wal_header_decode(text, strlen(text), &header, &len, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* ---- objects ---- */

static void what_was_put_comes_back(void)
{
    char *dir = tempdir_new();
    Store *stores[] = { memory_store_new(), local_store_new(dir, true) };

    for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
        g_autoptr(Store) store = stores[i];
        g_autoptr(Repo) repo = quick_repo(store);

        assert_put(repo, SEGMENT, "hello", false);
        assert_put(repo, SEGMENT ".partial", "hell", false);
        assert_put(repo, "00000002.history", "", false);
        assert_holds(repo, SEGMENT, "hello");
        assert_holds(repo, SEGMENT ".partial", "hell");
        assert_holds(repo, "00000002.history", "");
        assert_fails(repo, "000000010000001600000043", BS_ERROR_NOT_FOUND, "");
    }
    tempdir_remove(dir);
}

static void the_same_again_is_success_and_another_is_not(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GBytes) before = NULL, after = NULL;
    g_autoptr(GError) error = NULL;
    bool there;

    assert_put(repo, SEGMENT, "hello", false);
    g_assert_true(store_get_whole(store, KEY, 4096, &before, NULL));
    assert_put(repo, SEGMENT, "hello", true);
    g_assert_false(put(repo, SEGMENT, "hellO", &there, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
    // sha256sum of both
    g_assert_nonnull(strstr(error->message, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043"
                                            "362938b9824 there"));
    g_assert_nonnull(strstr(error->message, " here"));
    g_assert_nonnull(strstr(error->message, "archive_mode = off"));
    g_assert_true(store_get_whole(store, KEY, 4096, &after, NULL));
    g_assert_true(g_bytes_equal(before, after));
}

/* The mark is of that very object: the same content sealed again has another one. */
static void a_mark_is_of_one_object_alone(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    WalObject object = object_of(SEGMENT);
    WalMark mark, none;
    bool there;

    g_assert_true(wal_object_put(repo, &object, "hello", 5, &there, &mark, NULL));
    g_assert_true(wal_object_bears(repo, &object, &mark));
    g_assert_true(wal_object_put(repo, &object, "hello", 5, &there, &none, NULL));
    g_assert_true(there && none.len == 0);
    g_assert_false(wal_object_bears(repo, &object, &none));
    g_assert_true(store_remove(store, KEY, NULL));
    g_assert_false(wal_object_bears(repo, &object, &mark));
    assert_put(repo, SEGMENT, "hello", false);
    g_assert_false(wal_object_bears(repo, &object, &mark));
    g_assert_true(store_remove(store, KEY, NULL));
    g_assert_true(store_put(store, KEY, "short", 5, true, NULL));
    g_assert_false(wal_object_bears(repo, &object, &mark));
}

static void what_is_damaged_there_is_not_the_same(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GError) error = NULL;
    bool there;

    g_assert_true(store_put(store, KEY, "hello", 5, false, NULL));
    g_assert_false(put(repo, SEGMENT, "hello", &there, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "there already"));
}

static void objects_that_change_places_are_found(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GBytes) bytes = NULL;
    size_t len;
    const void *data;
    static const char *const others[] = {
        "wal/7301234567890123456/00000001/000000010000001600000043",
        "wal/7301234567890123456/00000002/000000020000001600000042",
        "wal/7301234567890123456/00000001/" SEGMENT ".partial",
        "wal/7301234567890123457/00000001/" SEGMENT,
    };

    assert_put(repo, SEGMENT, "hello", false);
    g_assert_true(store_get_whole(store, KEY, 4096, &bytes, NULL));
    data = g_bytes_get_data(bytes, &len);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(GBytes) got = NULL;
        g_autoptr(GError) error = NULL;
        WalObject other;

        g_assert_true(store_put(store, others[i], data, len, true, NULL));
        g_assert_true(wal_object_parse_key(others[i], &other));
        g_assert_false(wal_object_get(repo, &other, &got, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
        g_assert_nonnull(strstr(error->message, KEY));
    }
}

static void every_changed_or_missing_byte_is_found(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GBytes) bytes = NULL;
    g_autofree uint8_t *copy = NULL;
    size_t len;

    assert_put(repo, SEGMENT, "hello", false);
    g_assert_true(store_get_whole(store, KEY, 4096, &bytes, NULL));
    copy = g_bytes_unref_to_data(g_steal_pointer(&bytes), &len);
    for (size_t i = 0; i < len; i++) {
        copy[i] ^= 1;
        g_assert_true(store_put(store, KEY, copy, len, false, NULL));
        assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, KEY);
        copy[i] ^= 1;
        g_assert_true(store_put(store, KEY, copy, i, false, NULL));
        assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, KEY);
    }
    g_assert_true(store_put(store, KEY, copy, len, false, NULL));
    assert_holds(repo, SEGMENT, "hello");
}

/* Stores this text as the object, well sealed. */
static void put_text(Repo *repo, uint8_t encoding, const char *text)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autoptr(Compressor) compressor = compressor_new(3);
    uint8_t plain[4096], sealed[sizeof plain + SEAL_OVERHEAD];
    size_t len = compress_into(compressor, text, strlen(text), plain + 1, sizeof plain - 1);

    g_assert_cmpuint(len, >, 0);
    plain[0] = encoding;
    seal(sealer, plain, len + 1, sealed);
    g_assert_true(store_put(repo_store(repo), KEY, sealed, len + 1 + SEAL_OVERHEAD, false, NULL));
}

static void a_header_that_lies_is_found(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);

    put_text(repo, 2, HEADER "hello");
    assert_holds(repo, SEGMENT, "hello");
    put_text(repo, 2, HEADER "hellO");
    assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, "SHA-256");
    put_text(repo, 2, HEADER "hello!");
    assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, "6 bytes");
    put_text(repo, 2, HEADER);
    assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, "0 bytes");
    put_text(repo, 2, "hello");
    assert_fails(repo, SEGMENT, BS_ERROR_CORRUPT, "header");
    put_text(repo, 3, HEADER "hello");
    assert_fails(repo, SEGMENT, BS_ERROR_UNSUPPORTED, "encoding");
}

/* ---- what goes wrong on the way ---- */

static void a_lost_answer_is_found_out(void)
{
    FlakyPlan plan = {
        .call = CALL_PUT, .at = 1, .n = 1, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY
    };
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) store = flaky_store_new(memory);
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GError) error = NULL;
    bool there;

    flaky_store_plan(store, &plan);
    g_assert_false(put(repo, SEGMENT, "hello", &there, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    assert_put(repo, SEGMENT, "hello", true);
    assert_holds(repo, SEGMENT, "hello");
}

/* Nothing is acknowledged that is not there, wherever it fails. */
static void a_failure_at_any_call_is_no_success(void)
{
    static const FlakyHow hows[] = { FLAKY_FAIL, FLAKY_APPLY, FLAKY_CUT };

    for (size_t how = 0; how < G_N_ELEMENTS(hows); how++)
        for (unsigned at = 1;; at++) {
            FlakyPlan plan = {
                .call = CALL_ANY, .at = at, .n = 1, .code = BS_ERROR_FAILED, .how = hows[how]
            };
            g_autoptr(Store) memory = memory_store_new();
            g_autoptr(Store) store = flaky_store_new(memory);
            g_autoptr(Repo) repo = quick_repo(memory);
            g_autoptr(Repo) flaky = NULL;
            bool there, ok;

            flaky = fixture_open(store, FIXTURE_PASSWORD);
            store->acks_may_lie = true;
            flaky_store_plan(store, &plan);
            ok = put(flaky, SEGMENT, "hello", &there, NULL);
            if (flaky_store_faults(store) == 0)
                break;
            if (ok)
                assert_holds(repo, SEGMENT, "hello");
        }
}

/* ---- listing ---- */

static void lists_in_the_order_of_names(void)
{
    static const char *const names[] = {
        SEGMENT,
        SEGMENT ".00000028.backup",
        "000000010000001600000043.partial",
        "00000002.history",
        "000000020000001600000043",
    };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    g_autoptr(GArray) objects = NULL, some = NULL;
    unsigned foreign;

    for (size_t i = G_N_ELEMENTS(names); i > 0; i--)
        assert_put(repo, names[i - 1], "hello", false);
    g_assert_true(store_put(store, "wal/1/" SEGMENT, "x", 1, true, NULL));
    g_assert_true(store_put(store, "wal/2/00000001/" SEGMENT, "x", 1, true, NULL));
    g_assert_true(wal_object_list(repo, 0, 0, &objects, &foreign, NULL));
    g_assert_cmpuint(foreign, ==, 1);
    g_assert_cmpuint(objects->len, ==, 1 + G_N_ELEMENTS(names));
    g_assert_cmpuint(g_array_index(objects, WalInfo, 0).object.system_id, ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_cmpstr(g_array_index(objects, WalInfo, i + 1).object.name, ==, names[i]);
    g_assert_true(wal_object_list(repo, CLUSTER, 2, &some, &foreign, NULL));
    g_assert_cmpuint(some->len, ==, 2);
    g_assert_cmpuint(foreign, ==, 0);
}

#define ADD(name) g_test_add_func("/walobject/" #name, name)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(names_become_keys_and_come_back);
    ADD(other_names_are_refused);
    ADD(the_header_says_all_of_it);
    ADD(every_field_of_the_header_must_be_right);
    ADD(what_was_put_comes_back);
    ADD(the_same_again_is_success_and_another_is_not);
    ADD(a_mark_is_of_one_object_alone);
    ADD(what_is_damaged_there_is_not_the_same);
    ADD(objects_that_change_places_are_found);
    ADD(every_changed_or_missing_byte_is_found);
    ADD(a_header_that_lies_is_found);
    ADD(a_lost_answer_is_found_out);
    ADD(a_failure_at_any_call_is_no_success);
    ADD(lists_in_the_order_of_names);
    return g_test_run();
}
