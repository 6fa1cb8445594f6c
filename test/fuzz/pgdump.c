/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses how the rest is cut into slices. */
#include "source/pgdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(PgDump) dump = pgdump_new();
    size_t slice = len ? data[0] + 1u : 1;
    bool ok = true;

    for (size_t at = 1; ok && at < len; at += slice)
        ok = pgdump_feed(dump, data + at, MIN(slice, len - at), NULL);
    if (ok && pgdump_finish(dump, NULL) && !pgdump_toc_complete(dump))
        __builtin_trap();
    return 0;
}
