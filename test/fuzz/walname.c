/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the name of a WAL file: what is accepted is spelt in one way only, and the segment
 * that it says it is has its name. */
#include "pg/walname.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup((const char *)data, len);
    uint64_t lsn;
    WalName name;

    if (lsn_parse_len((const char *)data, len, &lsn)) {
        uint64_t again;

        g_assert_true(lsn_parse(lsn_text(lsn).text, &again));
        g_assert_cmpuint(lsn, ==, again);
    }
    if (!wal_name_parse(text, &name, NULL))
        return 0;
    g_assert_cmpstr(wal_name_text(&name).text, ==, text);
    for (uint32_t size = WAL_SEGMENT_MIN; size <= WAL_SEGMENT_MAX; size *= 2) {
        WalName again;

        if (name.kind == WAL_HISTORY || !wal_name_lsn(&name, size, &lsn, NULL))
            continue;
        again = wal_name_of(name.timeline, lsn, size);
        g_assert_cmpint(strncmp(wal_name_text(&again).text, text, 24), ==, 0);
    }
    return 0;
}
