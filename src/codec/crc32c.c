/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc32c.h"
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* RFC 3720, 12.1: 0x1edc6f41, its bits in reverse */

/* tables[k][b]: the effect of byte b when k more bytes follow it. */
static uint32_t tables[8][256];

static void fill_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;

        for (int bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = rest;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t rest = tables[k - 1][byte];

            tables[k][byte] = rest >> 8 ^ tables[0][rest & 0xff];
        }
}

uint32_t crc32c_portable(uint32_t before, const void *data, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *at = data;
    uint32_t crc = ~before;

    (void)pthread_once(&once, fill_tables);
    for (; len >= 8; at += 8, len -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);

        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; len > 0; at++, len--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#ifdef __x86_64__
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t before, const void *data,
                                                               size_t len)
{
    const uint8_t *at = data;
    uint64_t crc = ~before;

    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; len > 0; at++, len--)
        crc = _mm_crc32_u8((uint32_t)crc, *at);
    return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t before, const void *data, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(before, data, len)
                                            : crc32c_portable(before, data, len);
}
#else
uint32_t crc32c(uint32_t before, const void *data, size_t len)
{
    return crc32c_portable(before, data, len);
}
#endif
