/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message of a stream of WAL: what is accepted lies within the message. */
#include "pg/walframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    PgFrame frame;

    if (!pg_frame_parse(data, len, &frame, NULL) || frame.kind != PG_FRAME_WAL)
        return 0;
    g_assert_true(frame.data > data && frame.data + frame.len == data + len);
    g_assert_cmpuint(frame.begin + frame.len, >, frame.begin);
    return 0;
}
