/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc32c.h"
#include <glib.h>
#include <string.h>

static void published_values(void)
{
    uint8_t bytes[32];
    static const uint8_t zeros[32] = { 0 };

    /* RFC 3720, B.4 */
    g_assert_cmphex(crc32c(0, zeros, 32), ==, 0x8a9136aa);
    memset(bytes, 0xff, 32);
    g_assert_cmphex(crc32c(0, bytes, 32), ==, 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    g_assert_cmphex(crc32c(0, bytes, 32), ==, 0x46dd794e);
    g_assert_cmphex(crc32c_portable(0, bytes, 32), ==, 0x46dd794e);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    g_assert_cmphex(crc32c(0, bytes, 32), ==, 0x113fdb5c);
    // the catalogue of CRCs gives it as "check"
    g_assert_cmphex(crc32c(0, "123456789", 9), ==, 0xe3069283);
    g_assert_cmphex(crc32c(0, "", 0), ==, 0);
}

static void both_ways_and_all_cuts_agree(void)
{
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)g_test_rand_int();
    for (size_t start = 0; start < 9; start++)
        for (size_t end = start; end <= sizeof bytes; end++) {
            size_t cut = start + (end - start) / 3;
            uint32_t whole = crc32c_portable(0, bytes + start, end - start);

            g_assert_cmphex(crc32c(0, bytes + start, end - start), ==, whole);
            g_assert_cmphex(crc32c(crc32c(0, bytes + start, cut - start), bytes + cut, end - cut),
                            ==, whole);
            g_assert_cmphex(crc32c_portable(crc32c_portable(0, bytes + start, cut - start),
                                            bytes + cut, end - cut),
                            ==, whole);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crc32c/published", published_values);
    g_test_add_func("/crc32c/agree", both_ways_and_all_cuts_agree);
    return g_test_run();
}
