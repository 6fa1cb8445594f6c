/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walframe.h"
#include "base/error.h"
#include <string.h>

#define WAL_HEADER    25                 /* 'w', begin, end, time */
#define KEEPALIVE_LEN 18                 /* 'k', end, time, reply */
#define EPOCH         INT64_C(946684800) /* of PostgreSQL, 2000-01-01, as Unix time */

static uint64_t big_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return GUINT64_FROM_BE(value);
}

static void put_big_u64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof value);
}

static bool parse(const uint8_t *at, size_t len, PgFrame *frame)
{
    if (len >= WAL_HEADER && at[0] == 'w') {
        *frame = (PgFrame){
            .kind = PG_FRAME_WAL,
            .begin = big_u64(at + 1),
            .end = big_u64(at + 9),
            .data = at + WAL_HEADER,
            .len = len - WAL_HEADER,
        };
        return frame->len > 0 && frame->begin <= UINT64_MAX - frame->len;
    }
    if (len >= KEEPALIVE_LEN && at[0] == 'k') {
        *frame = (PgFrame){
            .kind = PG_FRAME_KEEPALIVE,
            .end = big_u64(at + 1),
            .reply = at[17] != 0,
        };
        return true;
    }
    return false;
}

bool pg_frame_parse(const void *message, size_t len, PgFrame *ret_frame, GError **error)
{
    PgFrame frame;

    if (!parse(message, len, &frame)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "server: a message of %zu bytes that is no part of a stream of WAL", len);
        return false;
    }
    *ret_frame = frame;
    return true;
}

void pg_status_encode(const PgProgress *progress, Timestamp now, uint8_t ret_message[])
{
    int64_t us = (now.sec - EPOCH) * 1000000 + now.nsec / 1000;

    ret_message[0] = 'r';
    put_big_u64(ret_message + 1, progress->received);
    put_big_u64(ret_message + 9, progress->durable);
    put_big_u64(ret_message + 17, 0); // applied
    put_big_u64(ret_message + 25, (uint64_t)us);
    ret_message[33] = progress->reply;
}
