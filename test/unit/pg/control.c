/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/control.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "lib/recorded.h"
#include "pg/walname.h"

static void number_is(int release, const char *key, uint64_t got)
{
    g_autofree char *want = recorded_control(release, key);

    g_test_message("%d: %s", release, key);
    g_assert_cmpuint(got, ==, g_ascii_strtoull(want, NULL, 10));
}

static void position_is(int release, const char *key, uint64_t got)
{
    g_autofree char *want = recorded_control(release, key);

    g_test_message("%d: %s", release, key);
    g_assert_cmpstr(lsn_text(got).text, ==, want);
}

static void time_is(int release, const char *key, int64_t got)
{
    g_autofree char *want = recorded_control(release, key);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(want, NULL);

    g_assert_nonnull(time);
    g_assert_cmpint(got, ==, g_date_time_to_unix(time));
}

/* The file was recorded at a shutdown, what the server says of it after the next start; which
 * changes nothing that is compared here. */
static void says_what_the_server_says(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        int release = recorded_releases[i];
        g_autoptr(GByteArray) file = recorded(release, "pg_control");
        g_autoptr(GError) error = NULL;
        g_autofree char *xid = recorded_control(release, "next_xid");
        PgControl control;

        g_assert_cmpuint(file->len, ==, 8192);
        (void)pg_control_parse(file->data, PG_CONTROL_LEN, &control, &error);
        g_assert_no_error(error);
        g_assert_cmpint(control.release, ==, release);
        number_is(release, "pg_control_version", control.control_version);
        number_is(release, "catalog_version_no", control.catalog_version);
        number_is(release, "system_identifier", control.system_id);
        position_is(release, "checkpoint_lsn", control.checkpoint);
        position_is(release, "redo_lsn", control.redo);
        number_is(release, "timeline_id", control.timeline);
        number_is(release, "prev_timeline_id", control.previous_timeline);
        time_is(release, "checkpoint_time", control.checkpoint_at);
        number_is(release, "database_block_size", control.block_size);
        number_is(release, "blocks_per_segment", control.blocks_per_file);
        number_is(release, "wal_block_size", control.wal_block_size);
        number_is(release, "bytes_per_wal_segment", control.wal_segment_size);
        number_is(release, "data_page_checksum_version", control.checksum_version);
        g_assert_true(g_str_has_prefix(xid, "0:"));
        g_assert_cmpuint(control.next_xid, ==, g_ascii_strtoull(xid + 2, NULL, 10));
        g_assert_cmpstr(pg_state_text(control.state), ==, "shut down");
        g_assert_cmpuint(control.wal_level, ==, 1);
        g_assert_cmpuint(control.backup_start, ==, 0);
        g_assert_false(control.backup_end_required);
    }
}

static void every_changed_byte_is_noticed(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(GByteArray) file = recorded(recorded_releases[i], "pg_control");
        size_t end = recorded_releases[i] < 18 ? 292 : 296;
        PgControl control;

        for (size_t at = 0; at < end; at++) {
            g_autoptr(GError) error = NULL;

            file->data[at] ^= 0x10;
            g_assert_false(pg_control_parse(file->data, file->len, &control, &error));
            if (at < 8 || at >= 12)
                g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            file->data[at] ^= 0x10;
        }
        g_assert_true(pg_control_parse(file->data, file->len, &control, NULL));
    }
}

static void put_u32(GByteArray *file, size_t at, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(file->data + at, &value, sizeof value);
}

/* A sound file of something that is not supported: named for what it is. */
static void foreign_clusters_are_refused_by_name(void)
{
    static const struct {
        size_t at;
        uint32_t value;
        const char *says;
        int code;
    } cases[] = {
        { 8, 1201, "version 1201 is not known", BS_ERROR_UNSUPPORTED },
        { 8, 0x14050000, "big-endian", BS_ERROR_UNSUPPORTED },
        { 8, 1900, "version 1900 is not known", BS_ERROR_UNSUPPORTED },
        { 12, 202209060, "catalog version 202209060", BS_ERROR_UNSUPPORTED },
        { 204, 4, "64-bit", BS_ERROR_UNSUPPORTED },
        { 212, 0, "64-bit", BS_ERROR_UNSUPPORTED },
        { 216, 16384, "blocks of 16384 bytes", BS_ERROR_UNSUPPORTED },
        { 224, 4096, "in WAL of 4096", BS_ERROR_UNSUPPORTED },
        { 228, 3 << 20, "impossible sizes", BS_ERROR_CORRUPT },
        { 220, 0, "impossible sizes", BS_ERROR_CORRUPT },
        { 48, 0, "impossible timeline", BS_ERROR_CORRUPT },
        { 16, 7, "impossible timeline or state", BS_ERROR_CORRUPT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file = recorded(15, "pg_control");
        g_autoptr(GError) error = NULL;
        PgControl control = { .release = 77 };

        g_test_message("%s", cases[i].says);
        put_u32(file, cases[i].at, cases[i].value);
        put_u32(file, 288, crc32c(0, file->data, 288));
        g_assert_false(pg_control_parse(file->data, file->len, &control, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_cmpint(control.release, ==, 77);
    }
}

static void a_short_file_is_corrupt(void)
{
    g_autoptr(GByteArray) file = recorded(15, "pg_control");
    g_autoptr(GError) error = NULL;
    PgControl control;

    g_assert_false(pg_control_parse(file->data, PG_CONTROL_LEN - 1, &control, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/control/servers", says_what_the_server_says);
    g_test_add_func("/control/every-byte", every_changed_byte_is_noticed);
    g_test_add_func("/control/foreign", foreign_clusters_are_refused_by_name);
    g_test_add_func("/control/short", a_short_file_is_corrupt);
    return g_test_run();
}
