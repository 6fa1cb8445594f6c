/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/quote.h"
#include "base/error.h"
#include "codec/json.h"
#include "lib/vectors.h"

static json_t *vectors;

static void names_are_quoted_as_in_the_vectors_and_back(void)
{
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "names")), >=, 20);
    json_array_foreach(json_object_get(vectors, "names"), i, test)
    {
        g_autoptr(GByteArray) raw = vector_bytes(test, "raw");
        g_autoptr(GString) quoted = g_string_new(NULL);
        g_autoptr(GString) json = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *name = NULL;
        size_t len;

        quote_append(quoted, (const char *)raw->data, raw->len);
        g_assert_cmpstr(quoted->str, ==, vector_text(test, "quoted_text"));
        json_append_string(json, quoted->str, quoted->len);
        g_assert_cmpstr(json->str, ==, vector_text(test, "json_text"));
        g_assert_true(unquote(quoted->str, quoted->len, &name, &len, &error));
        g_assert_no_error(error);
        g_assert_cmpmem(name, len, raw->data, raw->len);
        g_assert_cmpint(name[len], ==, 0);
    }
}

static void other_writers_forms_are_read(void)
{
    const json_t *test;
    size_t i;

    json_array_foreach(json_object_get(vectors, "names_unquote_only"), i, test)
    {
        const char *quoted = vector_text(test, "quoted_text");
        g_autoptr(GByteArray) raw = vector_bytes(test, "raw");
        g_autofree char *name = NULL;
        size_t len;

        g_assert_true(unquote(quoted, strlen(quoted), &name, &len, NULL));
        g_assert_cmpmem(name, len, raw->data, raw->len);
    }
}

static void refused(const char *quoted, size_t quoted_len)
{
    g_autoptr(GError) error = NULL;
    char *name = NULL;
    size_t len = 77;

    g_test_message("%s", quoted);
    g_assert_false(unquote(quoted, quoted_len, &name, &len, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_null(name);
    g_assert_cmpuint(len, ==, 77);
}

static void broken_quoting_is_refused(void)
{
    static const char *const more[] = { "\\x",       "\\xg0",       "\\u",    "\\u00",
                                        "\\U0010ff", "\\Uffffffff", "\\8",    "\\78",
                                        "\\08a",     "\\udfff",     "a\\b\\", "\\777" };
    const json_t *test;
    size_t i;

    json_array_foreach(json_object_get(vectors, "names_invalid"), i, test)
        refused(json_string_value(test), json_string_length(test));
    for (i = 0; i < G_N_ELEMENTS(more); i++)
        refused(more[i], strlen(more[i]));
    refused("\\\0", 2);
}

static void a_nul_comes_out_counted(void)
{
    g_autofree char *name = NULL;
    size_t len;

    g_assert_true(unquote("a\\x00b", 6, &name, &len, NULL));
    g_assert_cmpmem(name, len, "a\0b", 3);
}

static void any_bytes_come_back(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        g_autoptr(GString) quoted = g_string_new(NULL);
        g_autofree char *name = NULL;
        char raw[12];
        size_t len = (size_t)g_test_rand_int_range(0, sizeof raw + 1);
        size_t back;

        for (size_t i = 0; i < len; i++)
            raw[i] = (char)g_test_rand_int_range(0, 256);
        quote_append(quoted, raw, len);
        g_assert_true(utf8_valid(quoted->str, quoted->len));
        g_assert_true(unquote(quoted->str, quoted->len, &name, &back, NULL));
        g_assert_cmpmem(name, back, raw, len);
    }
}

static bool stands_for_itself(gunichar c)
{
    g_autoptr(GString) quoted = g_string_new(NULL);
    char text[6];
    int len = g_unichar_to_utf8(c, text);

    quote_append(quoted, text, (size_t)len);
    return quoted->len == (size_t)len && memcmp(quoted->str, text, quoted->len) == 0;
}

/* DerivedAge.txt and UnicodeData.txt of Unicode 15.0 and 15.1 */
static void the_table_is_unicode_15_0(void)
{
    static const struct {
        const char *label;
        gunichar c;
        bool printable;
    } cases[] = {
        { "Unicode 13: the last CJK ideograph of its time", 0x9ffc, true },
        { "Unicode 14: vithkuqi capital letter a", 0x10570, true },
        { "Unicode 15: kawi letter ka", 0x11f12, true },
        { "Unicode 15: shaking face", 0x1fae8, true },
        { "Unicode 15.1: CJK extension I", 0x2ebf0, false },
        { "no character yet", 0x0378, false },
        { "first of the table", 0x21, true },
        { "last of the table", 0xe01ef, true },
        { "after the last", 0xe01f0, false },
        { "ideographic space", 0x3000, false },
        { "a noncharacter", 0xffff, false },
        { "the last code point", 0x10ffff, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].label);
        g_assert_cmpint(stands_for_itself(cases[i].c), ==, cases[i].printable);
    }
}

/* Unicode 15.0 has 149,014 graphic characters; 17 of them are spaces. GLib's table may be of a
 * newer version, but what it knows as a space or as no graphic character never becomes one. */
static void the_table_is_complete(void)
{
    unsigned printable = 0;

    for (gunichar c = 0x21; c <= 0x10ffff; c++) {
        if ((c >= 0xd800 && c <= 0xdfff) || (c != '"' && c != '\\' && !stands_for_itself(c)))
            continue;
        printable++;
        if (g_unichar_isdefined(c))
            g_assert_true(g_unichar_isgraph(c));
    }
    g_assert_cmpuint(printable, ==, 149014 - 17);
}

int main(int argc, char **argv)
{
    int failed;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    g_test_add_func("/quote/vectors", names_are_quoted_as_in_the_vectors_and_back);
    g_test_add_func("/quote/unquote-only", other_writers_forms_are_read);
    g_test_add_func("/quote/broken", broken_quoting_is_refused);
    g_test_add_func("/quote/nul", a_nul_comes_out_counted);
    g_test_add_func("/quote/any-bytes", any_bytes_come_back);
    g_test_add_func("/quote/unicode-version", the_table_is_unicode_15_0);
    g_test_add_func("/quote/unicode-complete", the_table_is_complete);
    failed = g_test_run();
    json_decref(vectors);
    return failed;
}
