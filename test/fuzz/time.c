/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a time: what is accepted has a canonical form that reads back to itself. */
#include "codec/rfc3339.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[RFC3339_MAX], again[RFC3339_MAX];
    Timestamp time;
    size_t n;

    if (!rfc3339_parse((const char *)data, len, &time, NULL))
        return 0;
    n = rfc3339_format(time, text);
    g_assert_cmpuint(n, <, RFC3339_MAX);
    g_assert_true(rfc3339_parse(text, n, &time, NULL));
    g_assert_cmpuint(rfc3339_format(time, again), ==, n);
    g_assert_cmpstr(again, ==, text);
    return 0;
}
