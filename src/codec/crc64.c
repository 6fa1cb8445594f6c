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

uint64_t crc64_portable(uint64_t before, const void *data, size_t len)
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

#ifdef __x86_64__
#include <immintrin.h>

#define BLOCK 16u /* bytes */

/* x^n modulo the polynomial, its bits in reverse as everything here. */
static uint64_t power(unsigned n)
{
    uint64_t rest = UINT64_C(1) << 63;

    while (n-- > 0)
        rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
    return rest;
}

static uint64_t folds[2];

static void fill_folds(void)
{
    // a product without carries of reversed numbers comes out one place too low
    folds[0] = power(8 * BLOCK + 64 - 1);
    folds[1] = power(8 * BLOCK - 1);
}

/*
 * Intel, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction": a block of 128
 * bits, moved over the next one, becomes 128 bits that stand for both; what stands for all of them
 * is summed as 16 bytes are. len: at least one block, and whole ones.
 */
__attribute__((target("pclmul,sse4.1"))) static uint64_t crc64_folded(uint64_t before,
                                                                      const uint8_t *at, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t rest[BLOCK];
    __m128i by, sum;

    (void)pthread_once(&once, fill_folds);
    by = _mm_set_epi64x((int64_t)folds[1], (int64_t)folds[0]);
    sum = _mm_xor_si128(_mm_loadu_si128((const __m128i *)at), _mm_set_epi64x(0, (int64_t)before));
    for (at += BLOCK, len -= BLOCK; len > 0; at += BLOCK, len -= BLOCK)
        sum = _mm_xor_si128(_mm_loadu_si128((const __m128i *)at),
                            _mm_xor_si128(_mm_clmulepi64_si128(sum, by, 0x00),
                                          _mm_clmulepi64_si128(sum, by, 0x11)));
    _mm_storeu_si128((__m128i *)rest, sum);
    return crc64_portable(0, rest, sizeof rest);
}

uint64_t crc64(uint64_t before, const void *data, size_t len)
{
    size_t whole = len / BLOCK * BLOCK;

    if (whole <= BLOCK || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
        return crc64_portable(before, data, len);
    return crc64_portable(crc64_folded(before, data, whole), (const uint8_t *)data + whole,
                          len - whole);
}
#else
uint64_t crc64(uint64_t before, const void *data, size_t len)
{
    return crc64_portable(before, data, len);
}
#endif
