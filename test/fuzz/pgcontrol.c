/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a control file, with a checksum that fits so that more than the first lines are
 * tried: what is accepted has sizes that others may divide by. */
#include "codec/crc32c.h"
#include "pg/control.h"
#include "pg/walname.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t file[PG_CONTROL_LEN] = { 0 };
    PgControl control;

    g_assert_false(len < PG_CONTROL_LEN && pg_control_parse(data, len, &control, NULL));
    memcpy(file, data, MIN(len, sizeof file));
    for (size_t at = 288; at <= 292; at += 4) {
        uint32_t crc = GUINT32_TO_LE(crc32c(0, file, at));

        memcpy(file + at, &crc, sizeof crc);
        if (!pg_control_parse(file, sizeof file, &control, NULL))
            continue;
        g_assert_true(control.release >= 13 && control.release <= 18);
        g_assert_true(wal_segment_size_valid(control.wal_segment_size));
        g_assert_cmpuint(control.block_size, ==, 8192);
        g_assert_cmpuint(control.blocks_per_file, >, 0);
        g_assert_cmpstr(pg_state_text(control.state), !=, "unknown");
    }
    return 0;
}
