/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <errno.h>
#include <sys/random.h>

static void put_hex(char *text, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

IdText id_hex(const Id *id)
{
    IdText hex;

    put_hex(hex.text, id->bytes, ID_LEN);
    return hex;
}

IdText id_short(const Id *id)
{
    IdText hex;

    put_hex(hex.text, id->bytes, ID_SHORT_LEN / 2);
    return hex;
}

#define DIGIT 16 // marks what is one

/* Without branches: an index names every blob in 64 digits, and no processor guesses those. */
static const uint8_t digit_values[256] = {
    ['0'] = DIGIT,      ['1'] = DIGIT | 1,  ['2'] = DIGIT | 2,  ['3'] = DIGIT | 3,
    ['4'] = DIGIT | 4,  ['5'] = DIGIT | 5,  ['6'] = DIGIT | 6,  ['7'] = DIGIT | 7,
    ['8'] = DIGIT | 8,  ['9'] = DIGIT | 9,  ['a'] = DIGIT | 10, ['b'] = DIGIT | 11,
    ['c'] = DIGIT | 12, ['d'] = DIGIT | 13, ['e'] = DIGIT | 14, ['f'] = DIGIT | 15,
};

bool id_parse_len(const char *text, size_t len, Id *ret_id)
{
    const uint8_t *digits = (const uint8_t *)text;
    uint8_t all = DIGIT;
    Id id;

    if (len != ID_HEX_LEN)
        return false;
    for (size_t i = 0; i < ID_LEN; i++) {
        uint8_t high = digit_values[digits[2 * i]];
        uint8_t low = digit_values[digits[2 * i + 1]];

        all &= high & low;
        id.bytes[i] = (uint8_t)(high << 4 | (low & 15));
    }
    if (!all)
        return false;
    *ret_id = id;
    return true;
}

bool id_parse(const char *text, Id *ret_id)
{
    return id_parse_len(text, strnlen(text, ID_HEX_LEN + 1), ret_id);
}

guint id_hash(gconstpointer id)
{
    guint hash;

    memcpy(&hash, ((const Id *)id)->bytes, sizeof hash); // SHA-256 is as even as any hash of it
    return hash;
}

gboolean id_equal_func(gconstpointer a, gconstpointer b)
{
    return id_equal(a, b);
}

void random_bytes(void *buf, size_t len)
{
    uint8_t *next = buf;

    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            g_error("no random bytes from the system: %s", g_strerror(errno));
        next += got;
        len -= (size_t)got;
    }
}
