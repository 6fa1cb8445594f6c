/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "lib/vectors.h"

/* repository format, "Plain objects", "JSON form" */
static void strings_are_escaped_as_the_format_wants(void)
{
    static const struct {
        const char *label;
        const char *text;
        const char *want;
    } cases[] = {
        { "empty", "", "\"\"" },
        { "plain", "a/b c~", "\"a/b c~\"" },
        { "quotation mark and backslash", "a\"b\\", "\"a\\\"b\\\\\"" },
        { "named controls", "\n\r\t", "\"\\n\\r\\t\"" },
        { "other controls", "\x01\x1f\b\f", "\"\\u0001\\u001f\\u0008\\u000c\"" },
        { "delete stands for itself", "\x7f", "\"\x7f\"" },
        { "markup", "<html>&", "\"\\u003chtml\\u003e\\u0026\"" },
        { "line and paragraph separator", "\u2028\u2029\u202a", "\"\\u2028\\u2029\u202a\"" },
        { "all lengths", "e\u00e9\u20ac\U0001f600", "\"e\u00e9\u20ac\U0001f600\"" },
        { "each bad byte",
          "a\xff\xfe"
          "b",
          "\"a\\ufffd\\ufffdb\"" },
        { "cut sequence", "\xe2\x82", "\"\\ufffd\\ufffd\"" },
        { "surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
        { "overlong", "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
        { "beyond the last character", "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new("before");

        g_test_message("%s", cases[i].label);
        json_append_string(out, cases[i].text, strlen(cases[i].text));
        g_assert_cmpstr(out->str + 6, ==, cases[i].want);
    }
}

static void a_nul_is_escaped_too(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    json_append_string(out, "a\0b", 3);
    g_assert_cmpstr(out->str, ==, "\"a\\u0000b\"");
}

static void a_parser_reads_any_characters_back(void)
{
    for (unsigned round = 0; round < 5000; round++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GString) out = g_string_new(NULL);
        json_t *parsed;

        for (int i = g_test_rand_int_range(0, 8); i > 0; i--) {
            gunichar c = (gunichar)g_test_rand_int_range(0, g_test_rand_bit() ? 0x80 : 0x110000);

            g_string_append_unichar(text, g_unichar_validate(c) ? c : 'x');
        }
        json_append_string(out, text->str, text->len);
        parsed = json_loadb(out->str, out->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        g_assert_nonnull(parsed);
        g_assert_cmpmem(json_string_value(parsed), json_string_length(parsed), text->str,
                        text->len);
        json_decref(parsed);
    }
}

static void integers_are_written_to_their_last_bit(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    json_append_uint(out, 0);
    g_string_append_c(out, ' ');
    json_append_uint(out, 10);
    g_string_append_c(out, ' ');
    json_append_uint(out, UINT64_MAX);
    g_string_append_c(out, ' ');
    json_append_int(out, INT64_MIN);
    g_string_append_c(out, ' ');
    json_append_int(out, -1);
    g_string_append_c(out, ' ');
    json_append_int(out, INT64_MAX);
    g_assert_cmpstr(out->str, ==,
                    "0 10 18446744073709551615 -9223372036854775808 -1 9223372036854775807");
}

/* RFC 4648, section 10 */
static void base64_agrees_with_rfc_4648(void)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "", "\"\"" },        { "f", "\"Zg==\"" },          { "fo", "\"Zm8=\"" },
        { "foo", "\"Zm9v\"" }, { "foobar", "\"Zm9vYmFy\"" }, { "\xfb\xff\xfe", "\"+//+\"" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new("=");

        json_append_base64(out, cases[i].text, strlen(cases[i].text));
        g_assert_cmpstr(out->str + 1, ==, cases[i].want);
    }
}

static void utf8_agrees_with_glib(void)
{
    for (unsigned round = 0; round < 200000; round++) {
        char text[4];
        size_t len = (size_t)g_test_rand_int_range(1, 5);
        gunichar c = 0;
        size_t n;

        for (size_t i = 0; i < len; i++)
            text[i] = (char)(g_test_rand_int_range(0, 4) == 0 ? g_test_rand_int_range(1, 256)
                                                              : g_test_rand_int_range(0x80, 0xf8));
        g_assert_cmpint(utf8_valid(text, len), ==, g_utf8_validate_len(text, len, NULL));
        n = utf8_char(text, len, &c);
        if (n > 0) {
            g_assert_cmpuint(c, ==, g_utf8_get_char_validated(text, (gssize)len));
            g_assert_true(g_utf8_validate_len(text, n, NULL));
        }
    }
    g_assert_cmpuint(utf8_char("", 0, NULL), ==, 0);
    g_assert_cmpuint(utf8_char("\0", 1, NULL), ==, 1);
    g_assert_true(utf8_valid("", 0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/strings", strings_are_escaped_as_the_format_wants);
    g_test_add_func("/json/nul", a_nul_is_escaped_too);
    g_test_add_func("/json/parsed-back", a_parser_reads_any_characters_back);
    g_test_add_func("/json/integers", integers_are_written_to_their_last_bit);
    g_test_add_func("/json/base64", base64_agrees_with_rfc_4648);
    g_test_add_func("/json/utf8", utf8_agrees_with_glib);
    return g_test_run();
}
