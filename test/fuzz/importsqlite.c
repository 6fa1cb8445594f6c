/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a database of SQLite, with the magic of one: copied, looked at and cut. */
#include "importbytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char magic[] = "SQLite format 3";
    g_autofree uint8_t *file = g_memdup2(data, len);

    if (len < 100)
        return 0;
    memcpy(file, magic, sizeof magic);
    import_bytes(file, len, "x.db", IMPORT_SQLITE, IMPORT_DETECT, NULL);
    return 0;
}
