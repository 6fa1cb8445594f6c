/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc64.h"
#include <glib.h>
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* 0xad93d23594c935a9, its bits in reverse */

/* tables[k][b]: the effect of byte b when k more bytes follow it. */
static uint64_t tables[8][256];

static void fill_tables(void)
{
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t rest = byte;

        for (int bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = rest;
    }
    for (int k = 1; k < 8; k++)
        for (uint64_t byte = 0; byte < 256; byte++) {
            uint64_t rest = tables[k - 1][byte];

            tables[k][byte] = rest >> 8 ^ tables[0][rest & 0xff];
        }
}

uint64_t crc64(uint64_t before, const void *data, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *at = data;
    uint64_t crc = before;

    (void)pthread_once(&once, fill_tables);
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        crc ^= GUINT64_FROM_LE(word);
        crc = tables[7][crc & 0xff] ^ tables[6][crc >> 8 & 0xff] ^ tables[5][crc >> 16 & 0xff] ^
              tables[4][crc >> 24 & 0xff] ^ tables[3][crc >> 32 & 0xff] ^
              tables[2][crc >> 40 & 0xff] ^ tables[1][crc >> 48 & 0xff] ^ tables[0][crc >> 56];
    }
    for (; len > 0; at++, len--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    return crc;
}
