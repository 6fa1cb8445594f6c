/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include <string.h>

static bool is_continuation(const char *text, size_t len, size_t at)
{
    return at < len && ((uint8_t)text[at] & 0xc0) == 0x80;
}

/* Unicode Standard 15.0, table 3-7, "Well-Formed UTF-8 Byte Sequences" */
size_t utf8_char(const char *text, size_t len, gunichar *ret_char)
{
    static const gunichar smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t lead = len > 0 ? (uint8_t)text[0] : 0xff;
    size_t n = lead < 0x80   ? 1
               : lead < 0xc0 ? 0
               : lead < 0xe0 ? 2
               : lead < 0xf0 ? 3
               : lead < 0xf8 ? 4
                             : 0;
    gunichar c = n == 1 ? lead : lead & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if (!is_continuation(text, len, i))
            return 0;
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (n > 0 && ret_char)
        *ret_char = c;
    return n;
}

bool utf8_valid(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_char(text + at, len - at, NULL);

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

/* The escape for the n bytes of c, or NULL when they stand for themselves. */
static const char *escape(gunichar c, char hex[7])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    }
    if (c >= 0x20 && c != '<' && c != '>' && c != '&' && c != 0x2028 && c != 0x2029)
        return NULL;
    (void)g_snprintf(hex, 7, "\\u%04x", c);
    return hex;
}

void json_append_string(GString *out, const char *text, size_t len)
{
    size_t plain = 0; // everything before is in out
    char hex[7];

    g_string_append_c(out, '"');
    for (size_t at = 0; at < len;) {
        gunichar c = 0;
        size_t n = utf8_char(text + at, len - at, &c);
        const char *instead = n > 0 ? escape(c, hex) : "\\ufffd";

        n = MAX(n, 1);
        if (instead) {
            g_string_append_len(out, text + plain, (gssize)(at - plain));
            g_string_append(out, instead);
            plain = at + n;
        }
        at += n;
    }
    g_string_append_len(out, text + plain, (gssize)(len - plain));
    g_string_append_c(out, '"');
}

void json_append_uint(GString *out, uint64_t value)
{
    char digits[20]; // of 2^64 - 1
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    g_string_append_len(out, digits + at, (gssize)(sizeof digits - at));
}

void json_append_int(GString *out, int64_t value)
{
    if (value < 0)
        g_string_append_c(out, '-');
    json_append_uint(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_append_base64(GString *out, const void *data, size_t len)
{
    gint state = 0;
    gint save = 0;
    gsize start;
    gsize n;

    g_string_append_c(out, '"');
    start = out->len;
    g_string_set_size(out, start + (len / 3 + 1) * 4);
    n = g_base64_encode_step(data, len, FALSE, out->str + start, &state, &save);
    n += g_base64_encode_close(FALSE, out->str + start + n, &state, &save);
    g_string_truncate(out, start + n);
    g_string_append_c(out, '"');
}
