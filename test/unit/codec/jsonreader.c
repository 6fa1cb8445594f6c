/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/jsonreader.h"
#include "base/error.h"
#include <string.h>

/* ---- a document: {"list":[{"text":"...","number":1}]} ---- */

enum { OUTSIDE, IN_TOP, IN_LIST, IN_ITEM };
enum { FIELD_LIST = 1, FIELD_TEXT, FIELD_NUMBER };

typedef struct {
    JsonReader base;
    GString *seen;
} Log;

static bool log_null(JsonReader *reader)
{
    g_string_append_printf(((Log *)reader)->seen, "%d=null ", reader->field);
    return true;
}

static bool log_text(JsonReader *reader, const char *text, size_t len)
{
    g_string_append_printf(((Log *)reader)->seen, "%d=%.*s ", reader->field, (int)len, text);
    return true;
}

static bool log_begin(JsonReader *reader, bool list)
{
    if (reader->place == IN_ITEM || list != (reader->place == IN_TOP))
        return json_refuse(reader, "not here");
    reader->place++;
    return true;
}

static bool log_end(JsonReader *reader)
{
    g_string_append_printf(((Log *)reader)->seen, "%d. ", reader->place--);
    return true;
}

static const JsonKey keys[] = {
    JSON_KEY(IN_TOP, FIELD_LIST, "list"),
    JSON_KEY(IN_ITEM, FIELD_TEXT, "text"),
    JSON_KEY(IN_ITEM, FIELD_NUMBER, "number"),
};

static const JsonReaderOps log_ops = {
    .keys = keys,
    .n_keys = G_N_ELEMENTS(keys),
    .null = log_null,
    .number = log_text,
    .string = log_text,
    .begin = log_begin,
    .end = log_end,
};

static char *read_text(const char *text, GError **error)
{
    Log log = { .base.ops = &log_ops, .seen = g_string_new(NULL) };
    bool ok = json_read(&log.base, text, strlen(text), error);

    return g_string_free(log.seen, !ok);
}

static void only_known_members_are_seen(void)
{
    static const struct {
        const char *label, *text, *want;
    } cases[] = {
        { "in order", "{\"list\":[{\"text\":\"a\",\"number\":1}]}", "2=a 3=1 3. 2. 1. " },
        { "in another order", "{\"list\":[{\"number\":1,\"text\":\"a\"}]}", "3=1 2=a 3. 2. 1. " },
        { "numbers as text", "{\"list\":[{\"number\":18446744073709551615}]}",
          "3=18446744073709551615 3. 2. 1. " },
        { "a key of another place", "{\"text\":\"a\",\"list\":[{\"list\":[1]}]}", "3. 2. 1. " },
        { "unknown values of every kind",
          "{\"x\":[1,{\"list\":[{\"text\":true}]}],\"y\":null,\"z\":false,\"list\":[]}", "2. 1. " },
        { "null", "{\"list\":null}", "1=null 1. " },
        { "in a list there is no field", "{\"list\":[null]}", "0=null 2. 1. " },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *seen = read_text(cases[i].text, &error);

        g_test_message("%s", cases[i].label);
        g_assert_no_error(error);
        g_assert_cmpstr(seen, ==, cases[i].want);
    }
}

static void what_is_wrong_is_told_with_its_place(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{\"list\":[{}", "byte 11: parse error: premature EOF*" },
        { "{\"list\":[{]}", "byte 11: parse error: *" },
        { "{\"list\":{}}", "byte 9: not here" },
        { "{\"list\":true}", "byte 12: a boolean where none belongs" },
        { "{\"list\":[{\"text\":\"\xff\"}]}",
          "byte *: lexical error: invalid bytes in UTF8 string.*" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(read_text(cases[i].text, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_test_message("%s", error->message);
        g_assert_true(g_pattern_match_simple(cases[i].want, error->message));
    }
}

static void nesting_has_a_bound(void)
{
    for (unsigned depth = 128; depth <= 129; depth++) {
        g_autofree char *open = g_strnfill(depth, '['), *closed = g_strnfill(depth, ']');
        g_autofree char *text = g_strdup_printf("{\"x\":%s%s}", open, closed);
        g_autoptr(GError) error = NULL;
        g_autofree char *seen = read_text(text, &error);

        g_assert_cmpint(!error, ==, depth == 128);
    }
}

/* ---- values ---- */

static void numbers_have_64_bits(void)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool want;
        uint64_t value;
    } cases[] = {
        { "0", 0, true, 0 },
        { "7", 6, false, 0 },
        { "4294967295", UINT32_MAX, true, UINT32_MAX },
        { "4294967296", UINT32_MAX, false, 0 },
        { "9999999999999999999", UINT64_MAX, true, UINT64_C(9999999999999999999) },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "184467440737095516150", UINT64_MAX, false, 0 },
        { "", UINT64_MAX, false, 0 },
        { "-1", UINT64_MAX, false, 0 },
        { "1.5", UINT64_MAX, false, 0 },
        { "1e3", UINT64_MAX, false, 0 },
        { "1844674407370955161x", UINT64_MAX, false, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t value = 0;
        bool ok = json_parse_uint(cases[i].text, strlen(cases[i].text), cases[i].max, &value);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(ok, ==, cases[i].want);
        g_assert_cmpuint(value, ==, cases[i].value);
    }
}

static void base64_is_strict(void)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        { "", "" },           { "aGVsbG8=", "hello" }, { "aGVsbA==", "hell" },
        { "aGVs", "hel" },    { "aGVsbG8", NULL },     { "aGVs bG8=", NULL },
        { "a===", NULL },     { "aGV=bG8=", NULL },    { "aGVs\nbG8=", NULL },
        { "aGVsbG8-", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = json_parse_base64(cases[i].text, strlen(cases[i].text));

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(bytes != NULL, ==, cases[i].want != NULL);
        if (bytes)
            g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), cases[i].want,
                            strlen(cases[i].want));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/jsonreader/known", only_known_members_are_seen);
    g_test_add_func("/jsonreader/wrong", what_is_wrong_is_told_with_its_place);
    g_test_add_func("/jsonreader/nesting", nesting_has_a_bound);
    g_test_add_func("/jsonreader/numbers", numbers_have_64_bits);
    g_test_add_func("/jsonreader/base64", base64_is_strict);
    return g_test_run();
}
