/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walpage.h"
#include "base/error.h"
#include "lib/recorded_wal.h"

static WalName named(const char *text)
{
    WalName name;

    g_assert_true(wal_name_parse(text, &name, NULL));
    return name;
}

static void a_segment_says_what_it_is(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);

        for (uint64_t offset = 0; offset < wal->bytes->len; offset += RECORDED_SEGMENT) {
            uint64_t lsn = wal->start + offset;
            WalName name = recorded_segment(wal, lsn);
            g_autoptr(GError) error = NULL;
            WalPage page;

            (void)wal_page_parse_first(&name, wal->bytes->data + offset, WAL_PAGE_LONG, &page,
                                       &error);
            g_assert_no_error(error);
            g_assert_cmpint(page.release, ==, wal->release);
            g_assert_cmpuint(page.system_id, ==, wal->system_id);
            g_assert_cmpuint(page.segment_size, ==, RECORDED_SEGMENT);
            g_assert_cmpuint(page.lsn, ==, lsn);
            g_assert_cmpuint(page.timeline, ==, pg_history_timeline_at(wal->history, lsn));
            g_assert_true(page.first);
        }
    }
}

static void a_segment_under_another_name_is_found_out(void)
{
    static const struct {
        const char *name;
        bool fits;
    } cases[] = {
        { "000000010000000000000009", true },
        { "000000010000000000000009.partial", true },
        // a timeline that begins in this segment has it first as a copy
        { "000000020000000000000009", true },
        { "00000001000000000000000A", false },
        { "000000010000000100000009", false },
    };
    g_autoptr(GByteArray) segment = recorded(15, "000000010000000000000009");
    WalPage page;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        WalName name = named(cases[i].name);

        g_test_message("%s", cases[i].name);
        g_assert_cmpint(wal_page_parse_first(&name, segment->data, segment->len, &page, &error), ==,
                        cases[i].fits);
        if (!cases[i].fits)
            g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
    }
}

static void what_is_no_first_page_is_refused(void)
{
    static const struct {
        size_t at;
        uint8_t value;
        int code;
        const char *says;
    } cases[] = {
        { 0, 0x01, BS_ERROR_UNSUPPORTED, "magic D101" },
        { 1, 0x77, BS_ERROR_CORRUPT, "not a page" },
        { 2, 0x12, BS_ERROR_CORRUPT, "impossible header" },
        { 2, 0x00, BS_ERROR_CORRUPT, "does not begin with its first page" },
        { 4, 0x00, BS_ERROR_CORRUPT, "impossible header" },
        { 8, 0x10, BS_ERROR_CORRUPT, "impossible header" },
        { 9, 0x20, BS_ERROR_CORRUPT, "in the middle" },
        { 34, 0x30, BS_ERROR_CORRUPT, "impossible segment size" },
        { 37, 0x40, BS_ERROR_UNSUPPORTED, "blocks of 16384" },
    };
    WalName name = named("000000010000000000000009");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) segment = recorded(15, "000000010000000000000009");
        g_autoptr(GError) error = NULL;
        WalPage page;

        segment->data[cases[i].at] = cases[i].value;
        g_test_message("%s", cases[i].says);
        g_assert_false(wal_page_parse_first(&name, segment->data, segment->len, &page, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].says));
    }
}

static void a_big_endian_page_is_named(void)
{
    static const uint8_t page_begin[WAL_PAGE_LONG] = { 0xd1, 0x10, 0, 2, 0, 0, 0, 1 };
    g_autoptr(GError) error = NULL;
    WalPage page;

    g_assert_false(wal_page_parse(page_begin, sizeof page_begin, &page, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, "big-endian"));
}

static void a_short_page_is_corrupt(void)
{
    g_autoptr(GByteArray) segment = recorded(15, "000000010000000000000009");

    for (size_t len = 0; len <= WAL_PAGE_LONG; len++) {
        g_autofree void *copy = g_memdup2(segment->data, len);
        WalPage page;

        g_assert_cmpint(wal_page_parse(copy, len, &page, NULL), ==, len == WAL_PAGE_LONG);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walpage/says", a_segment_says_what_it_is);
    g_test_add_func("/walpage/name", a_segment_under_another_name_is_found_out);
    g_test_add_func("/walpage/refused", what_is_no_first_page_is_refused);
    g_test_add_func("/walpage/big-endian", a_big_endian_page_is_named);
    g_test_add_func("/walpage/short", a_short_page_is_corrupt);
    return g_test_run();
}
