/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as zstd frames: the bound holds, and where both ways open it they agree. */
#include "codec/compress.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define BOUND ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(Decompressor) decompressor = decompressor_new();
    g_autoptr(GByteArray) plain = NULL;
    g_autofree uint8_t *exact = NULL;

    if (!decompress_bounded(decompressor, data, len, BOUND, &plain, NULL))
        return 0;
    g_assert_cmpuint(plain->len, <=, BOUND);
    exact = g_malloc(plain->len + 1);
    exact[plain->len] = 0x5a;
    // a compressed block of no bytes is an error to libzstd's one call, but none to its stream
    if (decompress_exact(decompressor, data, len, exact, plain->len, NULL))
        g_assert_true(plain->len == 0 || memcmp(exact, plain->data, plain->len) == 0);
    g_assert_cmpint(exact[plain->len], ==, 0x5a);
    return 0;
}
