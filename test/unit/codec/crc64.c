/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc64.h"
#include <glib.h>

static void published_value(void)
{
    // Redis' crc64.c gives it as its test
    g_assert_cmphex(crc64(0, "123456789", 9), ==, UINT64_C(0xe9c6d914c4b8d9ca));
    g_assert_cmphex(crc64(0, "", 0), ==, 0);
}

/* Bit by bit, from the polynomial. */
static uint64_t slowly(const uint8_t *data, size_t len)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT64_C(0x95ac9329ac4bc9b5) : 0);
    }
    return crc;
}

static void all_cuts_agree(void)
{
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)g_test_rand_int();
    for (size_t start = 0; start < 9; start++)
        for (size_t end = start; end <= sizeof bytes; end++) {
            size_t cut = start + (end - start) / 3;
            uint64_t first = crc64(0, bytes + start, cut - start);

            g_assert_cmphex(crc64(first, bytes + cut, end - cut), ==,
                            slowly(bytes + start, end - start));
            g_assert_cmphex(crc64_portable(first, bytes + cut, end - cut), ==,
                            slowly(bytes + start, end - start));
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crc64/published", published_value);
    g_test_add_func("/crc64/agree", all_cuts_agree);
    return g_test_run();
}
