/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet to and from the WAL server: what is accepted is spelt in one way only. */
#include "pg/walwire.h"
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *packet = (const char *)data;
    char again[WALWIRE_MAX];
    WalWireRequest request;
    WalWireAnswer answer;

    if (walwire_parse_request(packet, len, &request)) {
        g_assert_cmpuint(walwire_format_request(&request, again), ==, len);
        g_assert_cmpint(memcmp(again, data, len), ==, 0);
    }
    if (walwire_parse_answer(packet, len, &answer)) {
        g_assert_cmpuint(walwire_format_answer(&answer, again), ==, len);
        g_assert_cmpint(memcmp(again, data, len), ==, 0);
    }
    return 0;
}
