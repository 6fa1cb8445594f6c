/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walway.h"

#include "unit/op/walworld.h"

typedef struct {
    GString *problems; /* "gap 1:3-4" */
    GString *ways;     /* "1>2 5.50", in MiB, and how many gaps */
} Told;

static unsigned mib_of(const char *name)
{
    WalName parsed;
    uint64_t lsn;

    g_assert_true(wal_name_parse(name, &parsed, NULL));
    if (parsed.kind == WAL_HISTORY)
        return 0;
    g_assert_true(wal_name_lsn(&parsed, MIB, &lsn, NULL));
    return (unsigned)(lsn / MIB);
}

static void note_problem(const WalProblem *problem, void *user)
{
    GString *told = ((Told *)user)->problems;

    g_test_message("%s: %s", problem->code, problem->message);
    g_assert_cmpuint(problem->system_id, ==, CLUSTER);
    g_string_append_printf(told, "%s%s %u", told->len ? ", " : "", problem->code + strlen("wal-"),
                           problem->timeline);
    if (problem->first)
        g_string_append_printf(told, ":%u-%u", mib_of(problem->first), mib_of(problem->last));
}

static void note_way(const WalWay *way, void *user)
{
    g_string_append_printf(((Told *)user)->ways, "%u>%u %.2f %u", way->from_timeline, way->timeline,
                           (double)way->end / MIB, way->gaps);
}

static void follows_the_newest_timeline(void)
{
    static const struct {
        const char *label, *held, *bases[3];
        uint64_t floor; /* MiB */
        const char *problems, *ways;
    } cases[] = {
        { "one timeline", "1:1 1:3 1:4 1:5", { "1:3-4 9" }, 0, "", "1>1 6.00 0" },
        { "a hole", "1:3 1:5 1:8 1:9", { "1:3-4 9" }, 0, "gap 1:4-4, gap 1:6-7", "1>1 4.00 2" },
        { "the oldest base counts",
          "1:1 1:3 1:5",
          { "1:5-6 9", "1:3-4 19" },
          0,
          "gap 1:4-4",
          "1>1 4.00 1" },
        { "a hole that retention made",
          "1:1 1:2 1:5 1:6",
          { "1:5-6 9", "1:1-2 19" },
          5,
          "",
          "1>1 7.00 0" },
        { "over a promotion", "2.history 1:3 1:4 1:5 2:5 2:6", { "1:3-4 9" }, 0, "", "1>2 7.00 0" },
        { "what was left behind is no damage",
          "2.history 1:3 1:4 1:5 1:6 1:8 2:5 2:6",
          { "1:3-4 9" },
          0,
          "abandoned 1:6-8",
          "1>2 7.00 0" },
        { "a hole where the younger one begins",
          "2.history 1:3 1:4 1:5 2:6",
          { "1:3-4 9" },
          0,
          "gap 2:5-5",
          "1>2 5.50 1" },
        { "a hole on both sides of the promotion",
          "2.history 1:3 2:7",
          { "1:3-4 9" },
          0,
          "gap 1:4-4, gap 2:5-6",
          "1>2 4.00 2" },
        { "the base is on the new timeline",
          "2.history 1:2 1:4 2:6 2:7",
          { "2:6-7 9" },
          0,
          "",
          "2>2 8.00 0" },
        { "a base behind the fork leads nowhere",
          "2.history 1:5 1:6 1:7 2:5 2:6",
          { "1:6-7 9" },
          0,
          "abandoned 1:6-7, gap 2",
          "" },
        { "the history is lost", "1:3 1:4 2:5", { "1:3-4 9" }, 0, "missing 2:0-0", "" },
        { "archived from timeline 2 on", "2:5 2:6 2:8", { "2:5-6 9" }, 0, "gap 2:7-7", "" },
        { "part of the segment that is written now",
          "1:3 1:4 1:5.part.0000000000580000",
          { "1:3-4 9" },
          0,
          "",
          "1>1 5.50 0" },
        { "a timeline that ends with a part",
          "2.history 1:3 1:4 1:5.part.0000000000580000 2:6",
          { "1:3-4 9" },
          0,
          "gap 2:5-5",
          "1>2 5.50 1" },
        { "a part with more behind it is a hole",
          "1:3 1:4.part.0000000000480000 1:5",
          { "1:3-4 9" },
          0,
          "gap 1:4-4",
          "1>1 4.50 1" },
        { "a whole segment that is called a part",
          "1:3 1:4.part.0000000000500000 1:5",
          { "1:3-4 9" },
          0,
          "",
          "1>1 6.00 0" },
        { "no base", "1:3 1:5", { NULL }, 0, "gap 1:4-4", "" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new(cases[i].held);
        g_autoptr(GPtrArray) snapshots = NULL, clusters = NULL;
        g_autoptr(GArray) bases = g_array_new(FALSE, FALSE, sizeof(WalBase));
        g_autoptr(GString) problems = g_string_new(NULL), ways = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        Told told = { problems, ways };
        WalWayCheck check = { .open = &world.open,
                              .bases = bases,
                              .floor = cases[i].floor * MIB,
                              .problem = note_problem,
                              .way = note_way,
                              .user = &told };

        g_test_message("%s", cases[i].label);
        for (size_t k = 0; cases[i].bases[k]; k++)
            put_base(world.open.repo, CLUSTER, cases[i].bases[k]);
        g_assert_true(snapshot_list(world.open.repo, NULL, NULL, &snapshots, NULL));
        for (guint k = 0; k < snapshots->len; k++) {
            WalBase base;

            g_assert_cmpint(wal_base_of(snapshots->pdata[k], &base), ==, WAL_BASE_GOOD);
            g_array_append_val(bases, base);
        }
        g_assert_true(op_wal_list(&world.open, NULL, &clusters, NULL, NULL));
        check.cluster = clusters->pdata[0];
        wal_way_check(&check, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(problems->str, ==, cases[i].problems);
        g_assert_cmpstr(ways->str, ==, cases[i].ways);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walway/follows", follows_the_newest_timeline);
    return g_test_run();
}
