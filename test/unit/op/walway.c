/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walway.h"

#include "unit/op/walworld.h"

typedef struct {
    GString *problems; /* "gap 1:3-4" */
    GString *ways;     /* "1>2 5.50", in MiB, and how many gaps */
    GString *messages;
} Told;

static void told_clear(Told *told)
{
    g_string_free(told->problems, TRUE);
    g_string_free(told->ways, TRUE);
    g_string_free(told->messages, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Told, told_clear)

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

    g_string_append_printf(((Told *)user)->messages, "%s\n", problem->message);
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

static Told check_way(World *world, const char *const *words, uint64_t floor)
{
    g_autoptr(GPtrArray) snapshots = NULL, clusters = NULL;
    g_autoptr(GArray) bases = g_array_new(FALSE, FALSE, sizeof(WalBase));
    g_autoptr(GError) error = NULL;
    Told told = { g_string_new(NULL), g_string_new(NULL), g_string_new(NULL) };
    WalWayCheck check = { .open = &world->open,
                          .bases = bases,
                          .floor = floor,
                          .problem = note_problem,
                          .way = note_way,
                          .user = &told };

    for (; *words; words++)
        put_base(world->open.repo, CLUSTER, *words);
    g_assert_true(snapshot_list(world->open.repo, NULL, NULL, &snapshots, NULL));
    for (guint i = 0; i < snapshots->len; i++) {
        WalBase base;

        g_assert_cmpint(wal_base_of(snapshots->pdata[i], &base), ==, WAL_BASE_GOOD);
        g_array_append_val(bases, base);
    }
    g_assert_true(op_wal_list(&world->open, NULL, &clusters, NULL, NULL));
    check.cluster = clusters->pdata[0];
    wal_way_check(&check, NULL, &error);
    g_assert_no_error(error);
    return told;
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
        g_auto(Told) told = check_way(&world, cases[i].bases, cases[i].floor * MIB);

        g_test_message("%s", cases[i].label);
        g_assert_cmpstr(told.problems->str, ==, cases[i].problems);
        g_assert_cmpstr(told.ways->str, ==, cases[i].ways);
    }
}

/* One of them was left for timeline 2, and goes on. */
static void two_servers_are_told(void)
{
    static const struct {
        int after; // seconds from the history to the last segment of timeline 1
        const char *words;
    } cases[] = {
        { -3600, NULL },
        { 30, NULL },
        { 3600, "1 of them came when the next timeline had begun" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new("1:3 1:4 1:5 1:6 2:5 2:6");
        static const char *const bases[] = { "1:3-4 9", NULL };
        g_auto(Told) told = { 0 };

        clock_set((Timestamp){ .sec = TODAY });
        put_word(world.open.repo, CLUSTER, "2.history");
        clock_set((Timestamp){ .sec = TODAY + cases[i].after });
        put_word(world.open.repo, CLUSTER, "1:7");
        clock_set((Timestamp){ .sec = TODAY });
        told = check_way(&world, bases, 0);
        g_assert_nonnull(strstr(told.messages->str, "2 segments behind"));
        if (cases[i].words)
            g_assert_nonnull(strstr(told.messages->str, cases[i].words));
        else
            g_assert_null(strstr(told.messages->str, "two servers"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walway/follows", follows_the_newest_timeline);
    g_test_add_func("/walway/two-servers", two_servers_are_told);
    return g_test_run();
}
