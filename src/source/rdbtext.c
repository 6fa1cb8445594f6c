/* SPDX-License-Identifier: Apache-2.0 */
#include "source/rdbtext.h"

#include <string.h>

#define LITERALS 32 /* a control byte below this announces as many and one more */

bool rdb_unpack(const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    size_t in = 0, at = 0;

    while (in < len) {
        size_t control = data[in++];
        size_t run = control + 1, back;

        if (control < LITERALS) {
            if (run > len - in || run > out_len - at)
                return false;
            memcpy(out + at, data + in, run);
            in += run;
            at += run;
            continue;
        }
        run = control >> 5;
        if (run == 7 && in < len)
            run += data[in++];
        if (in == len)
            return false;
        back = ((control & 31) << 8 | data[in++]) + 1;
        run += 2;
        if (back > at || run > out_len - at)
            return false;
        for (; run > 0; run--, at++) // what is copied may be what was just written
            out[at] = out[at - back];
    }
    return at == out_len;
}

void rdb_number_text(const uint8_t *data, size_t len, GByteArray *out)
{
    uint32_t bits = 0;
    int32_t value;
    char text[16];

    for (size_t i = 0; i < len; i++)
        bits |= (uint32_t)data[i] << 8 * i;
    value = len == 1 ? (int8_t)bits : len == 2 ? (int16_t)bits : (int32_t)bits;
    g_byte_array_set_size(out, 0);
    g_byte_array_append(out, (const guint8 *)text,
                        (guint)g_snprintf(text, sizeof text, "%d", value));
}
