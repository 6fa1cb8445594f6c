/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/history.h"
#include "base/error.h"
#include "lib/recorded.h"
#include "pg/walname.h"
#include <string.h>

static const char fourth[] = "1\t0/3000158\tno recovery target specified\n"
                             "\n"
                             "2\t0/41C0A28\tat restore point \"before release\"\n"
                             "\n"
                             "3\t0/5000000\tbefore 2026-11-21 06:12:44.125+00\n";

static PgHistory *parse(uint32_t timeline, const char *text)
{
    g_autoptr(GError) error = NULL;
    PgHistory *history = pg_history_parse(timeline, text, strlen(text), &error);

    g_assert_no_error(error);
    return history;
}

static void names_the_stretches(void)
{
    static const PgStretch want[] = {
        { 1, 0, 0x3000158, (char *)"no recovery target specified" },
        { 2, 0x3000158, 0x41c0a28, (char *)"at restore point \"before release\"" },
        { 3, 0x41c0a28, 0x5000000, (char *)"before 2026-11-21 06:12:44.125+00" },
        { 4, 0x5000000, UINT64_MAX, NULL },
    };
    g_autoptr(PgHistory) history = parse(4, fourth);
    size_t n;
    const PgStretch *got = pg_history_stretches(history, &n);

    g_assert_cmpuint(n, ==, G_N_ELEMENTS(want));
    for (size_t i = 0; i < n; i++) {
        g_assert_cmpuint(got[i].timeline, ==, want[i].timeline);
        g_assert_cmphex(got[i].begin, ==, want[i].begin);
        g_assert_cmphex(got[i].end, ==, want[i].end);
        g_assert_cmpstr(got[i].reason, ==, want[i].reason);
        g_assert_true(pg_history_find(history, want[i].timeline) == &got[i]);
    }
    g_assert_null(pg_history_find(history, 5));
}

static void servers_wrote_what_is_read(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        int release = recorded_releases[i];
        g_autoptr(GByteArray) text = recorded(release, "00000003.history");
        g_autoptr(GError) error = NULL;
        g_autoptr(PgHistory) history =
            pg_history_parse(3, (const char *)text->data, text->len, &error);
        g_autofree char *checkpoint = recorded_control(release, "checkpoint_lsn");
        const PgStretch *stretches;
        uint64_t lsn;
        size_t n;

        g_assert_no_error(error);
        stretches = pg_history_stretches(history, &n);
        g_assert_cmpuint(n, ==, 3);
        g_assert_cmpstr(stretches[0].reason, ==, "no recovery target specified");
        g_assert_cmpstr(stretches[1].reason, ==, "at restore point \"on the second\"");
        // the first was left after its last checkpoint
        g_assert_true(lsn_parse(checkpoint, &lsn));
        g_assert_cmpuint(pg_history_timeline_at(history, lsn), ==, 1);
        g_assert_cmpuint(stretches[0].end, >, lsn);
    }
}

static void tells_who_holds_a_position(void)
{
    static const struct {
        uint64_t lsn;
        uint32_t timeline;
    } cases[] = {
        { 0, 1 },         { 0x3000157, 1 }, { 0x3000158, 2 }, { 0x41c0a27, 2 },
        { 0x41c0a28, 3 }, { 0x4ffffff, 3 }, { 0x5000000, 4 }, { UINT64_MAX, 4 },
    };
    g_autoptr(PgHistory) history = parse(4, fourth);
    g_autoptr(PgHistory) first = pg_history_first();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(pg_history_timeline_at(history, cases[i].lsn), ==, cases[i].timeline);
        g_assert_cmpuint(pg_history_timeline_at(first, cases[i].lsn), ==, 1);
    }
}

static void tells_from_where_it_can_be_reached(void)
{
    g_autoptr(PgHistory) history = parse(4, fourth);

    g_assert_true(pg_history_reachable(history, 1, 0x2000028));
    g_assert_true(pg_history_reachable(history, 1, 0x3000158));
    g_assert_false(pg_history_reachable(history, 1, 0x3000159));
    g_assert_true(pg_history_reachable(history, 3, 0x5000000));
    g_assert_true(pg_history_reachable(history, 4, 0x9000000));
    g_assert_false(pg_history_reachable(history, 5, 0x2000028));
}

static void a_branch_that_was_left_out_is_not_on_the_way(void)
{
    g_autoptr(PgHistory) history = parse(5, "2\t0/3000158\tx\n");

    g_assert_false(pg_history_reachable(history, 1, 0x100));
    g_assert_false(pg_history_reachable(history, 3, 0x100));
    g_assert_true(pg_history_reachable(history, 2, 0x100));
}

static void comments_and_odd_white_space_are_read(void)
{
    static const char *const cases[] = {
        "# a comment\n\n  1 0/3000158 why\n",
        "1\t0/3000158\twhy",
        "1\t0/3000158\twhy\r\n",
        "\t\n1\t0/3000158\twhy \n\n#",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgHistory) history = parse(2, cases[i]);
        size_t n;

        g_assert_cmpstr(pg_history_stretches(history, &n)->reason, ==, "why");
        g_assert_cmpuint(n, ==, 2);
    }
}

static void a_switch_on_the_spot_leaves_a_timeline_without_wal(void)
{
    g_autoptr(PgHistory) history = parse(3, "1\t0/100\ta\n2\t0/100\tb\n");

    g_assert_cmpuint(pg_history_timeline_at(history, 0xff), ==, 1);
    g_assert_cmpuint(pg_history_timeline_at(history, 0x100), ==, 3);
}

/* recovery_target_timeline was latest, and the target lay before the place where a timeline was
 * left */
static void what_begins_behind_a_stop_is_not_on_the_way(void)
{
    static const struct {
        const char *text;
        uint32_t timeline, by[4]; /* those that hold 0x10, 0x150, 0x250 and 0x350 */
    } cases[] = {
        { "1\t0/200\ta\n2\t0/100\tb\n", 3, { 1, 3, 3, 3 } },
        { "1\t0/200\ta\n2\t0/300\tb\n3\t0/100\tc\n", 4, { 1, 4, 4, 4 } },
        { "1\t0/100\ta\n2\t0/300\tb\n3\t0/200\tc\n", 4, { 1, 2, 4, 4 } },
        { "1\t0/200\ta\n2\t0/100\tb\n3\t0/300\tc\n", 4, { 1, 3, 3, 4 } },
        { "1\t0/200\ta\n2\t0/100\tb\n3\t0/0\tc\n", 4, { 4, 4, 4, 4 } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgHistory) history = parse(cases[i].timeline, cases[i].text);

        g_test_message("%s", cases[i].text);
        for (uint64_t j = 0; j < 4; j++)
            g_assert_cmpuint(pg_history_timeline_at(history, j * 0x100 + (j ? 0x50 : 0x10)), ==,
                             cases[i].by[j]);
    }
    {
        g_autoptr(PgHistory) history = parse(3, cases[0].text);
        const PgStretch *first = pg_history_find(history, 1);

        g_assert_cmphex(first->end, ==, 0x100);
        g_assert_cmpstr(first->reason, ==, "b");
        g_assert_null(pg_history_find(history, 2));
        g_assert_false(pg_history_reachable(history, 2, 0x250));
    }
}

static void agrees_with_the_histories_of_what_it_passes(void)
{
    static const struct {
        const char *way, *its; /* of timeline 4, and of one before */
        uint32_t timeline;
        bool agrees;
    } cases[] = {
        { "1\t0/100\ta\n2\t0/200\tb\n", "1\t0/100\tx\n", 2, true },
        { "1\t0/100\ta\n2\t0/200\tb\n", "1\t0/108\tx\n", 2, false },
        { "1\t0/100\ta\n2\t0/200\tb\n3\t0/300\tc\n", "1\t0/100\ta\n2\t0/200\tb\n", 3, true },
        { "1\t0/100\ta\n2\t0/200\tb\n3\t0/300\tc\n", "1\t0/100\ta\n", 3, false },
        { "1\t0/100\ta\n3\t0/300\tc\n", "1\t0/100\ta\n2\t0/200\tb\n", 3, false },
        { "2\t0/200\tb\n", "1\t0/100\ta\n", 2, false },
        // not passed, or left out because the stop came before
        { "1\t0/100\ta\n", "1\t0/200\ta\n", 2, true },
        { "1\t0/200\ta\n2\t0/100\tb\n", "1\t0/200\ta\n", 2, true },
        { "1\t0/100\ta\n2\t0/100\tb\n", "1\t0/100\ta\n", 2, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgHistory) way = parse(4, cases[i].way);
        g_autoptr(PgHistory) its = parse(cases[i].timeline, cases[i].its);

        g_test_message("%s against %s", cases[i].way, cases[i].its);
        g_assert_cmpint(pg_history_agrees(way, its), ==, cases[i].agrees);
    }
}

static void what_the_server_would_refuse_is_corrupt(void)
{
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
#define TEXT(text) { text, sizeof text - 1 }
        TEXT(""),
        TEXT("# nothing\n"),
        TEXT("1\n"),
        TEXT("1\t0\tx\n"),
        TEXT("x\t0/100\tx\n"),
        TEXT("0\t0/100\tx\n"),
        TEXT("-1\t0/100\tx\n"),
        TEXT("4294967297\t0/100\tx\n"),
        TEXT("99999999999\t0/100\tx\n"),
        TEXT("4\t0/100\tx\n"),
        TEXT("5\t0/100\tx\n"),
        TEXT("2\t0/100\tx\n1\t0/200\tx\n"),
        TEXT("1\t0/100\tx\n1\t0/200\tx\n"),
        TEXT("1\t0/200\tx\n3\t0/100\tx\n2\t0/300\tx\n"),
        TEXT("1\t0/100\tx\0y\n"),
        TEXT("1\t0/100\tat restore point \"two\nlines\"\n"),
#undef TEXT
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_null(pg_history_parse(4, cases[i].text, cases[i].len, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/history/stretches", names_the_stretches);
    g_test_add_func("/history/servers", servers_wrote_what_is_read);
    g_test_add_func("/history/timeline-at", tells_who_holds_a_position);
    g_test_add_func("/history/reachable", tells_from_where_it_can_be_reached);
    g_test_add_func("/history/branch", a_branch_that_was_left_out_is_not_on_the_way);
    g_test_add_func("/history/white-space", comments_and_odd_white_space_are_read);
    g_test_add_func("/history/on-the-spot", a_switch_on_the_spot_leaves_a_timeline_without_wal);
    g_test_add_func("/history/back", what_begins_behind_a_stop_is_not_on_the_way);
    g_test_add_func("/history/agrees", agrees_with_the_histories_of_what_it_passes);
    g_test_add_func("/history/corrupt", what_the_server_would_refuse_is_corrupt);
    return g_test_run();
}
