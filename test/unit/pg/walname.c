/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walname.h"
#include "base/error.h"
#include "lib/recorded.h"
#include <string.h>

#define MIB (UINT32_C(1) << 20)

static void names_that_exist(void)
{
    static const struct {
        const char *text;
        WalName want;
    } cases[] = {
        { "000000010000000000000001", { WAL_SEGMENT, 1, 0, 1, 0 } },
        { "0000000A000000160000002B", { WAL_SEGMENT, 10, 0x16, 0x2b, 0 } },
        { "FFFFFFFFFFFFFFFF00000FFF", { WAL_SEGMENT, UINT32_MAX, UINT32_MAX, 0xfff, 0 } },
        { "000000010000000100000000", { WAL_SEGMENT, 1, 1, 0, 0 } },
        { "00000002000000000000000C.partial", { WAL_PARTIAL, 2, 0, 12, 0 } },
        { "000000010000000000000002.00000028.backup", { WAL_BACKUP, 1, 0, 2, 0x28 } },
        { "00000002.history", { WAL_HISTORY, 2, 0, 0, 0 } },
        { "0000001F.history", { WAL_HISTORY, 31, 0, 0, 0 } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        WalName name;

        g_test_message("%s", cases[i].text);
        g_assert_true(wal_name_parse(cases[i].text, &name, &error));
        g_assert_no_error(error);
        g_assert_cmpint(name.kind, ==, cases[i].want.kind);
        g_assert_cmpuint(name.timeline, ==, cases[i].want.timeline);
        g_assert_cmpuint(name.high, ==, cases[i].want.high);
        g_assert_cmpuint(name.low, ==, cases[i].want.low);
        g_assert_cmpuint(name.offset, ==, cases[i].want.offset);
        g_assert_cmpstr(wal_name_text(&name).text, ==, cases[i].text);
    }
}

static void everything_else_is_refused(void)
{
    static const char *const cases[] = {
        "",
        "00000001",
        "00000001000000000000000",
        "0000000100000000000000011",
        "000000010000000000000001.",
        "000000010000000000000001.part",
        "000000010000000000000001.partial2",
        "000000010000000000000001.partial ",
        " 000000010000000000000001",
        "00000000a000000000000001",
        "0000000a0000000000000001",
        "0000000g0000000000000001",
        "000000000000000000000001",
        "000000010000000000000000",
        "000000010000000000001000",
        "00000001000000000000000G",
        "+00000010000000000000001",
        "0x0000010000000000000001",
        "00000000.history",
        "00000001.history",
        "00000002.History",
        "00000002.history~",
        "2.history",
        "000000010000000000000002.28.backup",
        "000000010000000000000002.00000028.Backup",
        "000000010000000000000002.00000028",
        "000000010000000000000002.40000000.backup",
        "00000002000000000000000C.partial.partial",
        "archive_status",
        "../000000010000000000000001",
        "000000010000000000000001/",
        "RECOVERYXLOG",
        "xlogtemp.42",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        WalName name = { .timeline = 77 };

        g_test_message("%s", cases[i]);
        g_assert_false(wal_name_parse(cases[i], &name, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_cmpuint(name.timeline, ==, 77);
    }
}

static void positions_have_names(void)
{
    static const struct {
        const char *lsn;
        uint32_t size;
        const char *name;
        const char *start;
    } cases[] = {
        { "0/1000028", 16 * MIB, "000000010000000000000001", "0/1000000" },
        { "16/B374D848", 16 * MIB, "0000000100000016000000B3", "16/B3000000" },
        { "0/FFFFFFFF", 16 * MIB, "0000000100000000000000FF", "0/FF000000" },
        { "1/0", 16 * MIB, "000000010000000100000000", "1/0" },
        { "16/B374D848", MIB, "000000010000001600000B37", "16/B3700000" },
        { "FFFFFFFF/FFFFFFFF", MIB, "00000001FFFFFFFF00000FFF", "FFFFFFFF/FFF00000" },
        { "16/B374D848", 1024 * MIB, "000000010000001600000002", "16/80000000" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        WalName name;
        uint64_t lsn, start;

        g_assert_true(lsn_parse(cases[i].lsn, &lsn));
        g_assert_cmpstr(lsn_text(lsn).text, ==, cases[i].lsn);
        name = wal_name_of(1, lsn, cases[i].size);
        g_assert_cmpstr(wal_name_text(&name).text, ==, cases[i].name);
        g_assert_true(wal_name_lsn(&name, cases[i].size, &start, NULL));
        g_assert_cmpstr(lsn_text(start).text, ==, cases[i].start);
        g_assert_cmpuint(wal_segment_start(lsn, cases[i].size), ==, start);
        g_assert_cmpuint(start + wal_segment_offset(lsn, cases[i].size), ==, lsn);
    }
}

static void servers_give_the_same_names(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autofree char *position = recorded_control(recorded_releases[i], "redo_lsn");
        g_autofree char *file = recorded_control(recorded_releases[i], "redo_wal_file");
        uint64_t lsn;
        WalName name;

        g_assert_true(lsn_parse(position, &lsn));
        g_assert_cmpstr(lsn_text(lsn).text, ==, position);
        name = wal_name_of(1, lsn, MIB);
        g_assert_cmpstr(wal_name_text(&name).text, ==, file);
    }
}

static void a_name_of_another_segment_size_is_found_out(void)
{
    static const struct {
        const char *text;
        uint32_t size;
        bool fits;
    } cases[] = {
        { "0000000100000000000000FF", 16 * MIB, true },
        { "000000010000000000000100", 16 * MIB, false },
        { "000000010000000000000FFF", MIB, true },
        { "000000010000000000000003", 1024 * MIB, true },
        { "000000010000000000000004", 1024 * MIB, false },
        { "000000010000000000000002.00FFFFFF.backup", 16 * MIB, true },
        { "000000010000000000000002.01000000.backup", 16 * MIB, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        WalName name;
        uint64_t lsn;

        g_test_message("%s", cases[i].text);
        g_assert_true(wal_name_parse(cases[i].text, &name, NULL));
        g_assert_cmpint(wal_name_lsn(&name, cases[i].size, &lsn, &error), ==, cases[i].fits);
        if (!cases[i].fits)
            g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
    }
}

static void a_backup_begins_within_its_segment(void)
{
    WalName name;
    uint64_t lsn;

    g_assert_true(wal_name_parse("000000010000000300000002.00000028.backup", &name, NULL));
    g_assert_true(wal_name_lsn(&name, 16 * MIB, &lsn, NULL));
    g_assert_cmpstr(lsn_text(lsn).text, ==, "3/2000028");
}

static WalName some_name(void)
{
    static const WalKind kinds[] = { WAL_HISTORY, WAL_SEGMENT, WAL_BACKUP, WAL_PARTIAL };
    WalName name = { .kind = kinds[g_test_rand_int_range(0, 4)],
                     .timeline = (uint32_t)g_test_rand_int_range(2, 4) };

    if (name.kind != WAL_HISTORY) {
        name.high = (uint32_t)g_test_rand_int_range(0, 2);
        name.low = (uint32_t)g_test_rand_int_range(1, 3);
    }
    if (name.kind == WAL_BACKUP)
        name.offset = (uint32_t)g_test_rand_int_range(0, 3);
    return name;
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void names_sort_like_their_texts(void)
{
    for (int n = 0; n < 2000; n++) {
        WalName a = some_name(), b = some_name();

        g_assert_cmpint(sign(wal_name_compare(&a, &b)), ==,
                        sign(strcmp(wal_name_text(&a).text, wal_name_text(&b).text)));
    }
}

static void texts_that_are_no_position(void)
{
    static const char *const cases[] = {
        "",     "/",    "0/",   "/0",    "1",   "0/000000001", "123456789/0",
        "0/0 ", " 0/0", "0/-1", "0/0x1", "0/G", "0/1/2",
    };
    uint64_t lsn;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i]);
        g_assert_false(lsn_parse(cases[i], &lsn));
    }
    g_assert_true(lsn_parse("ab/0000cdef", &lsn));
    g_assert_cmphex(lsn, ==, UINT64_C(0xab0000cdef));
}

static void sizes_are_powers_of_two_within_bounds(void)
{
    g_assert_true(wal_segment_size_valid(MIB));
    g_assert_true(wal_segment_size_valid(1024 * MIB));
    g_assert_false(wal_segment_size_valid(0));
    g_assert_false(wal_segment_size_valid(MIB / 2));
    g_assert_false(wal_segment_size_valid(3 * MIB));
    g_assert_false(wal_segment_size_valid(UINT64_C(2048) * MIB));
    g_assert_false(wal_segment_size_valid(UINT64_C(1) << 52));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walname/exist", names_that_exist);
    g_test_add_func("/walname/refused", everything_else_is_refused);
    g_test_add_func("/walname/positions", positions_have_names);
    g_test_add_func("/walname/servers", servers_give_the_same_names);
    g_test_add_func("/walname/sizes-differ", a_name_of_another_segment_size_is_found_out);
    g_test_add_func("/walname/backup", a_backup_begins_within_its_segment);
    g_test_add_func("/walname/order", names_sort_like_their_texts);
    g_test_add_func("/walname/no-position", texts_that_are_no_position);
    g_test_add_func("/walname/sizes", sizes_are_powers_of_two_within_bounds);
    return g_test_run();
}
