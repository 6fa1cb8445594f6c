/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walframe.h"
#include "base/error.h"
#include <string.h>

/* PostgreSQL documentation, "Streaming Replication Protocol": primary keepalive message. */
static const uint8_t keepalive[] = { 'k', 0, 0,    0,    0,    1,    0xa0, 0x15, 0,
                                     0,   2, 0xf3, 0x1f, 0x5c, 0x60, 0x8a, 0x11, 1 };

static void a_message_with_wal_is_read(void)
{
    uint8_t message[25 + 3] = {
        'w', 0, 0, 0, 0x16, 0x42, 0, 1, 0xf8, 0, 0, 0, 0x16, 0x42, 0, 2, 0
    };
    PgFrame frame;

    memcpy(message + 25, "abc", 3);
    g_assert_true(pg_frame_parse(message, sizeof message, &frame, NULL));
    g_assert_cmpint(frame.kind, ==, PG_FRAME_WAL);
    g_assert_cmpuint(frame.begin, ==, UINT64_C(0x16420001F8));
    g_assert_cmpuint(frame.end, ==, UINT64_C(0x1642000200));
    g_assert_cmpmem(frame.data, frame.len, "abc", 3);
}

static void a_keepalive_is_read(void)
{
    uint8_t message[sizeof keepalive];
    PgFrame frame;

    memcpy(message, keepalive, sizeof message);
    g_assert_true(pg_frame_parse(message, sizeof message, &frame, NULL));
    g_assert_cmpint(frame.kind, ==, PG_FRAME_KEEPALIVE);
    g_assert_cmpuint(frame.end, ==, UINT64_C(0x1a01500));
    g_assert_true(frame.reply);
    message[17] = 0;
    g_assert_true(pg_frame_parse(message, sizeof message, &frame, NULL));
    g_assert_false(frame.reply);
}

static void what_is_neither_is_refused(void)
{
    uint8_t message[64] = { 0 };
    static const struct {
        char kind;
        size_t len;
    } cases[] = {
        { 'w', 0 }, { 'w', 1 },  { 'w', 24 }, { 'w', 25 },
        { 'k', 1 }, { 'k', 17 }, { 'x', 40 }, { 0, 40 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *exact = NULL;
        PgFrame frame;

        message[0] = (uint8_t)cases[i].kind;
        exact = g_memdup2(message, cases[i].len); // so that a sanitizer sees a read behind the end
        g_assert_false(pg_frame_parse(exact, cases[i].len, &frame, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void wal_does_not_pass_the_end_of_all_positions(void)
{
    uint8_t message[25 + 2] = { 'w', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };
    PgFrame frame;

    g_assert_false(pg_frame_parse(message, sizeof message, &frame, NULL));
    g_assert_true(pg_frame_parse(message, sizeof message - 1, &frame, NULL));
}

/* PostgreSQL documentation, "Streaming Replication Protocol": standby status update. */
static void a_status_says_what_came_and_what_is_durable(void)
{
    static const uint8_t want[PG_STATUS_LEN] = {
        'r', 0, 0, 0, 0x16, 0x42, 0, 1, 0xf8, 0, 0, 0, 0x16, 0x41, 0,    0,    0,
        0,   0, 0, 0, 0,    0,    0, 0, 0,    0, 0, 0, 0,    0x1e, 0x84, 0x81, 1,
    };
    PgProgress progress = { UINT64_C(0x16420001F8), UINT64_C(0x1641000000), true };
    uint8_t message[PG_STATUS_LEN];

    // two seconds and a microsecond after 2000-01-01
    pg_status_encode(&progress, (Timestamp){ 946684802, 1000 }, message);
    g_assert_cmpmem(message, sizeof message, want, sizeof want);
}

#define FACT(name, function) g_test_add_func("/walframe/" name, function)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FACT("a-message-with-wal-is-read", a_message_with_wal_is_read);
    FACT("a-keepalive-is-read", a_keepalive_is_read);
    FACT("what-is-neither-is-refused", what_is_neither_is_refused);
    FACT("wal-does-not-pass-the-end-of-all-positions", wal_does_not_pass_the_end_of_all_positions);
    FACT("a-status-says-what-came-and-what-is-durable",
         a_status_says_what_came_and_what_is_durable);
    return g_test_run();
}
