/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/quote.h"
#include "base/error.h"
#include "codec/json.h"
#include <stdint.h>
#include <string.h>

typedef struct {
    gunichar first;
    gunichar last;
} Range;

static const Range printable_ranges[] = {
#include "codec/printable.inc"
};

static bool printable(gunichar c)
{
    size_t low = 0;
    size_t high = G_N_ELEMENTS(printable_ranges);

    if (c < 0x7f)
        return c >= 0x20;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c > printable_ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < G_N_ELEMENTS(printable_ranges) && c >= printable_ranges[low].first;
}

static const char control_letters[] = "abtnvfr"; // for 7 to 13

static void append_escaped(GString *out, gunichar c)
{
    if (c >= 7 && c <= 13)
        g_string_append_printf(out, "\\%c", control_letters[c - 7]);
    else if (c < 0x20 || c == 0x7f)
        g_string_append_printf(out, "\\x%02x", c);
    else if (c < 0x10000)
        g_string_append_printf(out, "\\u%04x", c);
    else
        g_string_append_printf(out, "\\U%08x", c);
}

void quote_append(GString *out, const char *name, size_t len)
{
    for (size_t at = 0; at < len;) {
        gunichar c = 0;
        size_t n = utf8_char(name + at, len - at, &c);

        if (n == 0) {
            g_string_append_printf(out, "\\x%02x", (uint8_t)name[at]);
            n = 1;
        } else if (!printable(c)) {
            append_escaped(out, c);
        } else {
            if (c == '"' || c == '\\')
                g_string_append_c(out, '\\');
            g_string_append_len(out, name + at, (gssize)n);
        }
        at += n;
    }
}

/* A number of exactly n digits; false when one of them is none. */
static bool digits(const char *text, size_t len, size_t n, unsigned base, gunichar *ret_value)
{
    uint64_t value = 0;

    if (len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int digit = g_ascii_xdigit_value(text[i]);

        if (digit < 0 || (unsigned)digit >= base)
            return false;
        value = value * base + (unsigned)digit;
    }
    *ret_value = (gunichar)value;
    return true;
}

/* text begins after the backslash. Returns how many bytes of it the escape has, 0 for none we know.
 */
static size_t append_unescaped(GString *out, const char *text, size_t len)
{
    const char *letter;
    gunichar c = 0;
    size_t n;

    if (len == 0 || text[0] == '\0')
        return 0;
    letter = strchr(control_letters, text[0]);
    if (letter) {
        g_string_append_c(out, (char)(7 + (letter - control_letters)));
        return 1;
    }
    switch (text[0]) {
    case '\\':
    case '"':
        g_string_append_c(out, text[0]);
        return 1;
    case 'x': // a byte, not a character
        if (!digits(text + 1, len - 1, 2, 16, &c))
            return 0;
        g_string_append_c(out, (char)c);
        return 3;
    case 'u':
    case 'U':
        n = text[0] == 'u' ? 4 : 8;
        if (!digits(text + 1, len - 1, n, 16, &c) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        g_string_append_unichar(out, c);
        return 1 + n;
    }
    if (!digits(text, len, 3, 8, &c) || c > 0xff)
        return 0;
    g_string_append_c(out, (char)c);
    return 3;
}

bool unquote(const char *quoted, size_t len, char **ret_name, size_t *ret_len, GError **error)
{
    g_autoptr(GString) name = g_string_sized_new(len + 1);

    for (size_t at = 0; at < len; at++) {
        size_t n;

        if (quoted[at] == '"' || quoted[at] == '\n') {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "quoted name has a bare quotation mark or newline at byte %zu", at);
            return false;
        }
        if (quoted[at] != '\\') {
            g_string_append_c(name, quoted[at]);
            continue;
        }
        n = append_unescaped(name, quoted + at + 1, len - at - 1);
        if (n == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "quoted name has an unknown escape at byte %zu", at);
            return false;
        }
        at += n;
    }
    *ret_len = name->len;
    *ret_name = g_string_free(g_steal_pointer(&name), FALSE);
    return true;
}
