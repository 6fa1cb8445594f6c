/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a time, and any moment a file may carry: what is accepted has a canonical form that
 * reads back to itself. */
#include "codec/rfc3339.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void formats_to_itself(Timestamp time)
{
    char text[RFC3339_MAX], again[RFC3339_MAX];
    size_t n = rfc3339_format(time, text);

    g_assert_cmpuint(n, <, RFC3339_MAX);
    g_assert_true(rfc3339_parse(text, n, &time, NULL));
    g_assert_cmpuint(rfc3339_format(time, again), ==, n);
    g_assert_cmpstr(again, ==, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Timestamp time;

    if (rfc3339_parse((const char *)data, len, &time, NULL))
        formats_to_itself(time);
    if (len >= sizeof time.sec) {
        memcpy(&time.sec, data, sizeof time.sec);
        time.nsec = data[0] * 3906250u; // 2^-8 s
        formats_to_itself(time);
    }
    return 0;
}
