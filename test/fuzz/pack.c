/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the header of a pack. What is accepted has one form only. */
#include "repo/pack.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decode(const uint8_t *data, size_t len, unsigned version)
{
    g_autoptr(GByteArray) again = g_byte_array_new();
    g_autoptr(GArray) blobs = NULL;

    if (!pack_header_decode(data, len, version, &blobs, NULL))
        return;
    pack_header_encode((const PackBlob *)(void *)blobs->data, blobs->len, again);
    if (again->len != len || memcmp(again->data, data, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    decode(data, len, 1);
    decode(data, len, 2);
    return 0;
}
