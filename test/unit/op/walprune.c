/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walprune.h"

#include "repo/walfloor.h"
#include "unit/op/walworld.h"

static GPtrArray *plan_of(World *world, const char *window, const GArray *gone)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *clusters = NULL;
    WalPruneRequest request = { .gone = gone };
    Duration duration;

    if (window) {
        g_assert_true(duration_parse(window, &duration, NULL));
        request.window = &duration;
    }
    wal_prune_plan(&world->open, &request, NULL, &clusters, &error);
    g_assert_no_error(error);
    return clusters;
}

static void prune(World *world, const char *window)
{
    g_autoptr(GPtrArray) clusters = plan_of(world, window, NULL);
    g_autoptr(GError) error = NULL;

    wal_prune_execute(&world->open, clusters, false, NULL, &(ProtectKept){ 0 }, &error);
    g_assert_no_error(error);
}

static void assert_holds(World *world, const char *want)
{
    g_autofree char *got = words_of(world, CLUSTER);

    g_assert_cmpstr(got, ==, want);
}

/* ---- facts ---- */

static void removes_what_no_base_needs(void)
{
    static const struct {
        const char *label, *held, *bases[4], *window, *want;
        uint64_t floor; /* MiB, that is noted; 0: none */
    } cases[] = {
        { "older than the oldest base",
          "1:1 1:2 1:3 1:4 1:5",
          { "1:3-4 9" },
          NULL,
          "1:3 1:4 1:5",
          0 },
        { "with all that belongs to a segment",
          "1:1 1:1.00000028.backup 1:2.partial 1:2.part.0000000000212340 1:3 1:3.00000028.backup",
          { "1:3-4 9" },
          NULL,
          "1:3 1:3.00000028.backup",
          0 },
        { "without a base nothing", "1:1 1:2", { NULL }, "0h", "1:1 1:2", 0 },
        { "several bases, no window: all from the oldest on",
          "1:1 1:2 1:3 1:4 1:5 1:6 1:7",
          { "1:2-3 90", "1:5-6 20" },
          NULL,
          "1:2 1:3 1:4 1:5 1:6 1:7",
          0 },
        { "a window: the old base keeps what it needs itself",
          "1:1 1:2 1:3 1:4 1:5 1:6 1:7",
          { "1:2-3 90", "1:5-6 20", "1:7-8 3" },
          "7d",
          "1:2 1:3 1:5 1:6 1:7",
          5 },
        { "a base that ended just when the window begins is its base",
          "1:1 1:2 1:3 1:4 1:5 1:6 1:7",
          { "1:2-3 90", "1:5-6 7", "1:7-8 0" },
          "7d",
          "1:2 1:3 1:5 1:6 1:7",
          5 },
        { "histories stay, and other timelines from there on",
          "2.history 1:1 1:2 1:3 1:4 1:5 1:6 2:5 2:6 2:7",
          { "1:3-4 20", "2:6-7 3" },
          "7d",
          "1:3 1:4 1:5 1:6 2.history 2:5 2:6 2:7",
          0 },
        { "over a promotion the base of the window lies on the way",
          "2.history 1:1 1:2 1:3 1:4 1:5 1:6 2:5 2:6 2:7",
          { "1:3-4 30", "1:6-7 20", "2:6-7 3" },
          "7d",
          "1:3 1:4 1:5 1:6 2.history 2:5 2:6 2:7",
          0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new(cases[i].held);
        uint64_t floor = 1;

        g_test_message("%s", cases[i].label);
        for (size_t k = 0; cases[i].bases[k]; k++)
            put_base(world.open.repo, CLUSTER, cases[i].bases[k]);
        prune(&world, cases[i].window);
        assert_holds(&world, cases[i].want);
        prune(&world, cases[i].window); // and a second time nothing
        prune(&world, NULL);
        assert_holds(&world, cases[i].want);
        g_assert_true(wal_floor_load(world.open.repo, CLUSTER, &floor, NULL));
        g_assert_cmpuint(floor, ==, cases[i].floor ? cases[i].floor * MIB + MIB / 4 : 0);
    }
}

/* pg_resetwal --wal-segsize: the same timeline, but by its name the newest WAL is among the oldest.
 */
static void removes_nothing_of_another_length(void)
{
    static const char want[] = "1:1 1:2 1:3 1:9 1:10";
    g_auto(World) world = world_new("1:1 1:2 1:3");
    g_autoptr(GPtrArray) clusters = NULL;
    const WalPruneCluster *cluster;

    for (uint64_t n = 9; n <= 10; n++) {
        WalName name = wal_name_of(1, n * 4 * MIB, 4 * MIB);
        Header header = { 0xD110, 2, 1, n * 4 * MIB, 0, 0, CLUSTER, 4 * MIB, 8192 };

        put(world.open.repo, CLUSTER, wal_name_text(&name).text, &header, sizeof header);
    }
    put_base(world.open.repo, CLUSTER, "1:36-37 9"); // in the ninth of 4 MiB
    prune(&world, NULL);
    assert_holds(&world, want);
    clusters = plan_of(&world, NULL, NULL);
    cluster = g_ptr_array_index(clusters, 0);
    g_assert_nonnull(strstr(cluster->problem, "--wal-segsize"));
    g_assert_cmpuint(cluster->doomed->len, ==, 0);
}

static void leaves_other_clusters_alone(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3");
    g_autofree char *other = NULL;

    put_words(world.open.repo, OTHER, "1:1 1:2");
    put_base(world.open.repo, CLUSTER, "1:3-4 9");
    prune(&world, "7d");
    other = words_of(&world, OTHER);
    g_assert_cmpstr(other, ==, "1:1 1:2");
}

static void removes_nothing_when_something_is_not_known(void)
{
    static const struct {
        const char *label, *held, *base, *tags, *window;
    } cases[] = {
        { "a base without its positions", "1:1 1:2 1:3", "1:3-4 9",
          "kind=pgcluster system-id=7301234567890123456 timeline=1", NULL },
        { "one that goes backwards", "1:1 1:2 1:3", "1:3-4 9",
          "system-id=7301234567890123456 timeline=1 start-lsn=0/5 stop-lsn=0/5", NULL },
        { "one of nobody knows which cluster", "1:1 1:2 1:3", "1:3-4 9", "kind=pgcluster", NULL },
        { "nor when the tag is no number", "1:1 1:2 1:3", "1:3-4 9", "system-id=x", NULL },
        { "a timeline without its history", "1:1 1:2 1:3 2:4 2:5", "2:4-5 9", NULL, "1d" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new(cases[i].held);
        g_autoptr(GPtrArray) clusters = NULL;

        g_test_message("%s", cases[i].label);
        put_base(world.open.repo, CLUSTER, cases[i].base);
        if (cases[i].tags) {
            g_autoptr(Snapshot) snapshot = snapshot_new();

            g_strfreev(snapshot->tags);
            snapshot->tags = g_strsplit(cases[i].tags, " ", -1);
            snapshot->time.sec = TODAY - DAY;
            g_assert_true(snapshot_save(world.open.repo, snapshot, NULL));
        }
        prune(&world, cases[i].window);
        assert_holds(&world, cases[i].held);
        clusters = plan_of(&world, cases[i].window, NULL);
        g_assert_nonnull(((WalPruneCluster *)clusters->pdata[0])->problem);
    }
}

static void a_promotion_before_the_first_archive_is_no_riddle(void)
{
    g_auto(World) world = world_new("2:1 2:2 2:3");

    put_base(world.open.repo, CLUSTER, "2:3-4 9");
    prune(&world, "1d");
    assert_holds(&world, "2:3");
}

static void fails_with_a_snapshot_that_cannot_be_read(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3");
    g_autoptr(GPtrArray) clusters = NULL;
    g_autofree char *key = g_strdup_printf("snapshots/%064d", 7);

    put_base(world.open.repo, CLUSTER, "1:3-4 9");
    g_assert_true(store_put(world.store, key, "x", 1, false, NULL));
    g_assert_false(wal_prune_plan(&world.open, &(WalPruneRequest){ 0 }, NULL, &clusters, NULL));
}

static void takes_named_snapshots_for_gone(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3 1:4 1:5");
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(Id));
    g_autoptr(GPtrArray) clusters = NULL;
    Id old = put_base(world.open.repo, CLUSTER, "1:1-2 9");
    const WalPruneCluster *cluster;
    const WalRange *range;

    put_base(world.open.repo, CLUSTER, "1:4-5 8");
    g_array_append_val(gone, old);
    clusters = plan_of(&world, NULL, gone);
    cluster = clusters->pdata[0];
    g_assert_cmpuint(cluster->n_bases, ==, 1);
    g_assert_cmpuint(cluster->n_segments, ==, 5);
    g_assert_cmpuint(cluster->n_doomed, ==, 3);
    g_assert_cmpuint(cluster->ranges->len, ==, 1);
    range = &g_array_index(cluster->ranges, WalRange, 0);
    g_assert_cmpstr(range->first.name, ==, "000000010000000000000001");
    g_assert_cmpstr(range->last.name, ==, "000000010000000000000003");
    g_assert_cmpuint(range->n, ==, 3);
}

static void tells_ranges_apart(void)
{
    g_auto(World) world = world_new("2.history 1:1 1:2 1:4 1:5 2:5 2:6 2:7 2:8");
    g_autoptr(GPtrArray) clusters = NULL;
    g_autoptr(GString) got = g_string_new(NULL);
    const WalPruneCluster *cluster;

    put_base(world.open.repo, CLUSTER, "2:8-9 8");
    clusters = plan_of(&world, NULL, NULL);
    cluster = clusters->pdata[0];
    for (guint i = 0; i < cluster->ranges->len; i++) {
        const WalRange *range = &g_array_index(cluster->ranges, WalRange, i);

        g_string_append_printf(got, "%u:%s-%s ", range->timeline, range->first.name + 23,
                               range->last.name + 23);
    }
    g_assert_cmpstr(got->str, ==, "1:1-2 1:4-5 2:5-7 ");
}

/* ---- interrupted ---- */

/* From the n-th removal on all fail, for every n: what is held has no hole, and the next run goes
 * on where this one ended. */
static void an_interruption_leaves_no_hole(void)
{
    const char *const all = "1:1 1:2 1:3 1:4 1:5 1:6";

    for (unsigned n = 1; n <= 4; n++) {
        FlakyPlan failing = { .call = CALL_REMOVE, .at = n, .code = BS_ERROR_TRANSIENT };
        g_auto(World) world = world_new(all);
        g_autoptr(GPtrArray) clusters = NULL;

        put_base(world.open.repo, CLUSTER, "1:5-6 9");
        clusters = plan_of(&world, NULL, NULL);
        flaky_store_plan(world.store, &failing);
        g_assert_false(
            wal_prune_execute(&world.open, clusters, false, NULL, &(ProtectKept){ 0 }, NULL));
        flaky_store_plan(world.store, NULL);
        assert_holds(&world, all + 4 * (n - 1));
        prune(&world, NULL);
        assert_holds(&world, "1:5 1:6");
    }
}

static void a_listing_that_lacks_a_base_removes_nothing(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3 1:4 1:5");
    g_autoptr(GArray) known = g_array_new(FALSE, FALSE, sizeof(Id));
    WalPruneRequest request = { .known = known };
    g_autoptr(GPtrArray) clusters = NULL;
    g_autoptr(GError) error = NULL;
    Id old = put_base(world.open.repo, CLUSTER, "1:1-2 9");

    put_base(world.open.repo, CLUSTER, "1:3-4 2");
    g_array_append_val(known, old);
    g_assert_true(wal_prune_plan(&world.open, &request, NULL, &clusters, &error));
    g_assert_no_error(error);
    g_clear_pointer(&clusters, g_ptr_array_unref);
    g_assert_true(repo_remove(world.open.repo, FILE_SNAPSHOT, &old, NULL)); // as if forgotten
    g_assert_false(wal_prune_plan(&world.open, &request, NULL, &clusters, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, id_short(&old).text));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walprune/removes", removes_what_no_base_needs);
    g_test_add_func("/walprune/lengths", removes_nothing_of_another_length);
    g_test_add_func("/walprune/other-clusters", leaves_other_clusters_alone);
    g_test_add_func("/walprune/unknown", removes_nothing_when_something_is_not_known);
    g_test_add_func("/walprune/promoted-before", a_promotion_before_the_first_archive_is_no_riddle);
    g_test_add_func("/walprune/unreadable", fails_with_a_snapshot_that_cannot_be_read);
    g_test_add_func("/walprune/gone", takes_named_snapshots_for_gone);
    g_test_add_func("/walprune/ranges", tells_ranges_apart);
    g_test_add_func("/walprune/interrupted", an_interruption_leaves_no_hole);
    g_test_add_func("/walprune/listing", a_listing_that_lacks_a_base_removes_nothing);
    return g_test_run();
}
