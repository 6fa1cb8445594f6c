/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pitr.h"

/* ---- rules ---- */

static const PitrStretch way_1[] = { { 1, 0, UINT64_MAX } };
static const PitrStretch way_2[] = { { 1, 0, 500 }, { 2, 500, UINT64_MAX } };

static void keeps_the_bases_that_the_window_needs(void)
{
    static const struct {
        const char *label;
        PitrTimeline timelines[2];
        PitrBase bases[4];
        const char *want; /* of each base: w in the window, b its base, n newest, - none */
    } cases[] = {
        { "the newest before the window, and all in it",
          { { 1, 990, way_1, 1 } },
          { { 1, 10, 20, 100 }, { 1, 30, 40, 700 }, { 1, 50, 60, 801 }, { 1, 70, 80, 950 } },
          "-bww" },
        { "one that ended when the window begins is before it",
          { { 1, 990, way_1, 1 } },
          { { 1, 10, 20, 100 }, { 1, 30, 40, 800 }, { 1, 50, 60, 950 } },
          "-bw" },
        { "all are older",
          { { 1, 990, way_1, 1 } },
          { { 1, 10, 20, 100 }, { 1, 30, 40, 200 } },
          "-b" },
        { "all are younger",
          { { 1, 990, way_1, 1 } },
          { { 1, 10, 20, 900 }, { 1, 30, 40, 950 } },
          "ww" },
        { "an end that is not known, and one in the future",
          { { 1, 990, way_1, 1 } },
          { { 1, 10, 20, 0 }, { 1, 30, 40, 700 }, { 1, 50, 60, 2000 } },
          "wbw" },
        { "a base behind the fork does not lead to the new timeline",
          { { 1, 700, way_1, 1 }, { 2, 990, way_2, 2 } },
          { { 1, 10, 20, 100 }, { 1, 400, 450, 600 }, { 1, 600, 650, 700 } },
          "-bn" },
        { "an old timeline that lived in the window has a base of its own",
          { { 1, 900, way_1, 1 }, { 2, 990, way_2, 2 } },
          { { 1, 10, 20, 100 }, { 1, 400, 450, 600 }, { 1, 600, 650, 700 } },
          "-bb" },
        { "a base on the new timeline ends the need for the old one",
          { { 1, 700, way_1, 1 }, { 2, 990, way_2, 2 } },
          { { 1, 400, 450, 600 }, { 1, 600, 650, 700 }, { 2, 600, 610, 750 } },
          "--b" },
        { "without WAL the latest is the one with the newest base",
          { { 1, 0, way_1, 1 } },
          { { 1, 10, 20, 100 }, { 1, 30, 40, 200 } },
          "-b" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PitrBase bases[4];
        PitrCluster cluster = { bases, strlen(cases[i].want), cases[i].timelines,
                                cases[i].timelines[1].timeline ? 2 : 1 };
        g_autoptr(GString) got = g_string_new(NULL);
        uint32_t unknown;

        g_test_message("%s", cases[i].label);
        memcpy(bases, cases[i].bases, sizeof bases);
        g_assert_true(pitr_keep_bases(&cluster, 800, 1000, &unknown));
        for (size_t k = 0; k < cluster.n_bases; k++)
            g_string_append_c(got, !bases[k].reason                           ? '-'
                                   : g_str_has_prefix(bases[k].reason, "in")  ? 'w'
                                   : g_str_has_prefix(bases[k].reason, "new") ? 'n'
                                                                              : 'b');
        g_assert_cmpstr(got->str, ==, cases[i].want);
    }
}

static void decides_nothing_when_a_way_is_not_known(void)
{
    PitrTimeline timelines[] = { { 1, 700, NULL, 0 }, { 2, 990, NULL, 0 } };
    PitrBase base = { 2, 600, 610, 750, NULL };
    PitrCluster cluster = { &base, 1, timelines, 2 };
    uint32_t unknown = 0;

    g_assert_false(pitr_keep_bases(&cluster, 800, 1000, &unknown));
    g_assert_cmpuint(unknown, ==, 2);
    timelines[1].stretches = way_2;
    timelines[1].n = 2;
    g_assert_true(
        pitr_keep_bases(&cluster, 800, 1000, &unknown)); // that of the dead one is no matter
}

static void counts_back_from_the_last_sign_of_life(void)
{
    static const struct {
        const char *label;
        int64_t stored, ended, want; /* now is 1000 */
    } cases[] = {
        { "WAL is the newest", 900, 800, 900 },
        { "a base is", 800, 900, 900 },
        { "nothing is in the future", 5000, 1, 1000 },
        { "a base in the future does not count", 700, 5000, 700 },
        { "nothing at all", 0, 0, 1000 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PitrTimeline timeline = { 1, cases[i].stored, way_1, 1 };
        PitrBase base = { 1, 10, 20, cases[i].ended, NULL };
        PitrCluster cluster = { &base, 1, &timeline, 1 };

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(pitr_until(&cluster, 1000), ==, cases[i].want);
    }
}

static void keeps_the_wal_that_bases_and_the_window_need(void)
{
    static const PitrBase bases[] = { { 1, 105, 115, 1, NULL }, { 2, 300, 310, 1, NULL } };
    static const struct {
        const char *label;
        uint64_t begin;
        int64_t stored_at;
        bool want;
    } cases[] = {
        { "older than all", 90, 1, false },
        { "the segment that a base begins in", 100, 1, true },
        { "and ends in", 110, 1, true },
        { "behind it", 120, 1, false },
        { "right before the floor", 290, 1, false },
        { "the floor is in it", 295, 1, true },
        { "behind the floor", 900, 1, true },
        { "old by its place, but stored in the window", 50, 801, true },
        { "stored when the window begins", 50, 800, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].label);
        g_assert_cmpint(
            pitr_keeps(bases, 2, 300, cases[i].begin, cases[i].begin + 10, cases[i].stored_at, 800),
            ==, cases[i].want);
    }
    // no base, no removal
    g_assert_true(pitr_keeps(NULL, 0, UINT64_MAX, 0, 10, 1, INT64_MAX));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pitr/bases", keeps_the_bases_that_the_window_needs);
    g_test_add_func("/pitr/unknown-way", decides_nothing_when_a_way_is_not_known);
    g_test_add_func("/pitr/until", counts_back_from_the_last_sign_of_life);
    g_test_add_func("/pitr/wal", keeps_the_wal_that_bases_and_the_window_need);
    return g_test_run();
}
