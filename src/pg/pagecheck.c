/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/pagecheck.h"
#include "pg/little.h"
#include <stdbool.h>

#define LANES     32
#define WORDS     (PG_PAGE_LEN / 4)
#define FNV_PRIME 16777619u

enum {
    AT_LSN_HIGH = 0, // written as two numbers, the upper half first
    AT_LSN_LOW = 4,
    AT_CHECKSUM = 8,
    AT_UPPER = 14, // 0: the page is new
};

/* Where each lane begins: numbers that the format fixes. */
static const uint32_t bases[LANES] = {
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
    0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
    0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
    0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
};

/* Eight lanes at once where the processor can, else the compiler takes them apart. */
typedef uint32_t Lanes __attribute__((vector_size(32)));
#define GROUPS (LANES / 8)

/* By address, for how such a number is handed over depends on the processor. */
static inline __attribute__((always_inline)) void mix(Lanes *sum, const Lanes *word)
{
    Lanes mixed = *sum ^ *word;

    *sum = mixed * FNV_PRIME ^ mixed >> 17;
}

static inline __attribute__((always_inline)) uint32_t sum_lanes(const uint8_t *page)
{
    static const Lanes zero = { 0 };
    Lanes sums[GROUPS], folded = { 0 };
    uint32_t result = 0;

    memcpy(sums, bases, sizeof sums);
    for (size_t row = 0; row < WORDS / LANES; row++)
        for (size_t group = 0; group < GROUPS; group++) {
            Lanes words;

            memcpy(&words, page + (row * GROUPS + group) * sizeof words, sizeof words);
            // the checksum counts as zero; it is the lower half of the third word
            if (row == 0 && group == 0)
                words[AT_CHECKSUM / 4] &= GUINT32_TO_LE(0xffff0000);
#if G_BYTE_ORDER != G_LITTLE_ENDIAN
            for (size_t i = 0; i < 8; i++)
                words[i] = GUINT32_FROM_LE(words[i]);
#endif
            mix(&sums[group], &words);
        }
    for (size_t group = 0; group < GROUPS; group++) {
        mix(&sums[group], &zero);
        mix(&sums[group], &zero);
        folded ^= sums[group];
    }
    for (size_t i = 0; i < 8; i++)
        result ^= folded[i];
    return result;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint32_t sum_avx2(const uint8_t *page)
{
    return sum_lanes(page);
}

__attribute__((target("sse4.1"))) static uint32_t sum_sse41(const uint8_t *page)
{
    return sum_lanes(page);
}
#endif

static uint32_t sum_plain(const uint8_t *page)
{
    return sum_lanes(page);
}

typedef uint32_t (*Sum)(const uint8_t *page);

static Sum best_sum(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return sum_avx2;
    // the first with a multiplication of four numbers at once
    if (__builtin_cpu_supports("sse4.1"))
        return sum_sse41;
#endif
    return sum_plain;
}

static uint16_t checksum(Sum sum, const uint8_t *page, uint32_t block)
{
    // never 0, which stands for none
    return (uint16_t)((sum(page) ^ block) % 65535 + 1);
}

uint16_t pg_page_checksum(const void *page, uint32_t block)
{
    return checksum(best_sum(), page, block);
}

uint64_t pg_page_lsn(const void *page)
{
    const uint8_t *bytes = page;

    return (uint64_t)little_u32(bytes + AT_LSN_HIGH) << 32 | little_u32(bytes + AT_LSN_LOW);
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PG_PAGE_LEN - 1) == 0;
}

size_t pg_pages_check(const void *pages, size_t n, uint32_t first_block, PgBadPage *bad, size_t max)
{
    const uint8_t *page = pages;
    Sum sum = best_sum();
    size_t n_bad = 0;

    for (size_t i = 0; i < n; i++, page += PG_PAGE_LEN) {
        PgBadPage found = { .block = first_block + (uint32_t)i };

        if (little_u16(page + AT_UPPER) != 0) {
            found.stored = little_u16(page + AT_CHECKSUM);
            found.counted = checksum(sum, page, found.block);
            if (found.stored == found.counted)
                continue;
        } else if (is_zero(page)) {
            continue;
        }
        found.lsn = pg_page_lsn(page);
        if (n_bad < max)
            bad[n_bad] = found;
        n_bad++;
    }
    return n_bad;
}
