/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walpath.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "lib/tempdir.h"

#include <string.h>

#define CLUSTER UINT64_C(7301234567890123456)
#define OTHER   UINT64_C(7301234567890123457)
#define MIB     (UINT64_C(1) << 20)

/* ---- a repository that holds what the words say ---- */

static void put(Repo *repo, uint64_t system_id, const char *name, const char *content)
{
    g_autoptr(GError) error = NULL;
    WalObject object;

    g_assert_true(wal_object_init(&object, system_id, name, NULL));
    wal_object_put(repo, &object, content, strlen(content), &(bool){ false }, NULL, &error);
    g_assert_no_error(error);
}

/* words: "1:3" is the segment of timeline 1 that begins at 3 MiB. */
static void put_segments(Repo *repo, const char *words)
{
    g_auto(GStrv) each = g_strsplit(words, " ", -1);

    for (char **word = each; *word; word++) {
        const char *colon = strchr(*word, ':');
        WalName name;

        g_assert_nonnull(colon);
        name = wal_name_of((uint32_t)atoi(*word), (uint64_t)atoi(colon + 1) * MIB, MIB);
        put(repo, CLUSTER, wal_name_text(&name).text, *word);
    }
}

/* Timeline 2 leaves 1 at 5.5 MiB, 3 leaves 2 at 8 MiB, where a segment begins; 4 leaves 1 at 4.5;
 * 5 leaves 2 where that began. */
static void put_histories(Repo *repo)
{
    put(repo, CLUSTER, "00000002.history", "1\t0/580000\tno recovery target specified\n");
    put(repo, CLUSTER, "00000003.history", "1\t0/580000\tx\n\n2\t0/800000\tx\n");
    put(repo, CLUSTER, "00000004.history", "1\t0/480000\tx\n");
    put(repo, CLUSTER, "00000005.history", "1\t0/580000\tx\n2\t0/580000\tx\n");
}

typedef struct {
    Store *store;
    Repo *repo;
    WalHeld *held;
} World;

static World world_new(const char *segments, bool histories)
{
    World world = { .store = memory_store_new() };
    g_autoptr(GError) error = NULL;

    world.repo = quick_repo(world.store);
    put_segments(world.repo, segments);
    if (histories)
        put_histories(world.repo);
    world.held = wal_held_list(world.repo, CLUSTER, &error);
    g_assert_no_error(error);
    return world;
}

static void world_done(World *world)
{
    wal_held_free(world->held);
    repo_close(world->repo);
    store_free(world->store);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static WalPath *path_to(const World *world, uint32_t timeline)
{
    g_autoptr(GError) error = NULL;
    WalPath *path = wal_path_new(world->held, timeline, MIB, &error);

    g_assert_no_error(error);
    return path;
}

static char *word_of(const WalName *name)
{
    uint64_t lsn;

    g_assert_true(wal_name_lsn(name, MIB, &lsn, NULL));
    return g_strdup_printf("%u:%u", name->timeline, (unsigned)(lsn / MIB));
}

/* ---- facts ---- */

static void follows_the_way_to_its_end(void)
{
    static const struct {
        const char *label, *segments;
        uint32_t timeline;
        uint64_t from, end; // in KiB
        const char *missing;
        bool gap;
    } cases[] = {
        { "one timeline", "1:3 1:4 1:5", 1, 3072, 6144, "1:6", false },
        { "from within a segment", "1:3 1:4 1:5", 1, 4500, 6144, "1:6", false },
        { "nothing is held", "1:1", 1, 3072, 3072, "1:3", false },
        { "a hole", "1:3 1:5", 1, 3072, 4096, "1:4", true },
        { "the first is missing", "1:4 1:5", 1, 3072, 3072, "1:3", true },
        { "over a switch", "1:3 1:4 2:5 2:6", 2, 3072, 7168, "2:7", false },
        { "the young timeline has all of the segment", "1:3 1:4 1:5 2:5 2:6", 2, 3072, 7168, "2:7",
          false },
        { "the old one serves as far as it goes", "1:3 1:4 1:5", 2, 3072, 5632, "2:5", false },
        { "behind its end it serves nobody", "1:3 1:4 1:5", 2, 5632, 5632, "2:5", false },
        { "the old one, and a hole where the young one begins", "1:3 1:4 1:5 2:6", 2, 3072, 5632,
          "2:5", true },
        { "what a timeline that was left had later is not on the way", "1:3 1:4 1:5 1:6 1:7", 2,
          3072, 5632, "2:5", false },
        { "a switch where a segment begins", "1:4 2:5 2:6 2:7 3:8", 3, 4096, 9216, "3:9", false },
        { "the old one after such a switch", "1:4 2:5 2:6 2:7 2:8", 3, 4096, 8192, "3:8", false },
        { "one that began and ended at one place", "1:4 5:5 5:6", 5, 4096, 7168, "5:7", false },
        { "its own file serves before that place", "1:4 2:5", 5, 4096, 5632, "5:5", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new(cases[i].segments, true);
        g_autoptr(WalPath) path = path_to(&world, cases[i].timeline);
        g_autofree char *missing = NULL;
        WalPathEnd end;

        g_test_message("%s", cases[i].label);
        wal_path_end(path, cases[i].from << 10, &end);
        missing = word_of(&end.missing);
        g_assert_cmpuint(end.end >> 10, ==, cases[i].end);
        g_assert_cmpstr(missing, ==, cases[i].missing);
        g_assert_cmpint(end.gap, ==, cases[i].gap);
    }
}

static bool get_nothing(const char *name, void *user, GBytes **ret_content, GError **error)
{
    (void)name, (void)user, (void)ret_content, (void)error;
    g_assert_not_reached();
}

/* words: "1:5-5500" is a part that ends at 5500 KiB. */
static void put_parts(World *world, const char *words)
{
    g_auto(GStrv) each = g_strsplit(words, " ", -1);

    for (char **word = each; *word && **word; word++) {
        const char *colon = strchr(*word, ':'), *dash = strchr(*word, '-');
        WalName name = wal_name_of((uint32_t)atoi(*word), (uint64_t)atoi(colon + 1) * MIB, MIB);
        g_autofree char *part = g_strdup_printf("%s.part.%016X", wal_name_text(&name).text,
                                                (unsigned)atoi(dash + 1) << 10);

        put(world->repo, CLUSTER, part, *word);
    }
    wal_held_free(world->held);
    world->held = wal_held_list(world->repo, CLUSTER, NULL);
}

static void a_part_serves_as_far_as_it_goes(void)
{
    static const struct {
        const char *label, *segments, *parts;
        uint32_t timeline;
        uint64_t end; // in KiB
        const char *missing;
        bool gap;
    } cases[] = {
        { "at the end", "1:3 1:4", "1:5-5500", 1, 5500, "1:5", false },
        { "the longest counts", "1:3 1:4", "1:5-5500 1:5-5400 1:5-5600", 1, 5600, "1:5", false },
        { "the whole counts more", "1:3 1:4 1:5", "1:5-5500", 1, 6144, "1:6", false },
        { "all of a segment", "1:3 1:4", "1:5-6144", 1, 6144, "1:6", false },
        { "in the middle", "1:3 1:5", "1:4-4500", 1, 4500, "1:4", true },
        { "behind a switch", "1:3 1:4", "1:5-6000", 2, 5632, "2:5", false },
        { "before a switch", "1:3 1:4", "1:5-5500", 2, 5500, "2:5", false },
        { "of the young timeline", "1:3 1:4", "2:5-5700", 2, 5700, "2:5", false },
        { "of both", "1:3 1:4", "1:5-6000 2:5-5600", 2, 5632, "2:5", false },
        { "nothing is held", "1:1", "", 1, 3072, "1:3", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new(cases[i].segments, true);
        g_autoptr(WalPath) path = NULL;
        g_autofree char *missing = NULL;
        WalPathEnd end;

        g_test_message("%s", cases[i].label);
        put_parts(&world, cases[i].parts);
        path = path_to(&world, cases[i].timeline);
        wal_path_add_parts(path);
        wal_path_end(path, 3072 << 10, &end);
        missing = word_of(&end.missing);
        g_assert_cmpuint(end.end >> 10, ==, cases[i].end);
        g_assert_cmpstr(missing, ==, cases[i].missing);
        g_assert_cmpint(end.gap, ==, cases[i].gap);
    }
}

/* `wal get` does not give a recovery the part of a file that the base backup has whole. */
static void a_part_gives_way_to_what_lies_elsewhere(void)
{
    g_auto(World) world = world_new("1:3 1:4", true);
    g_autoptr(WalPath) path = NULL;
    WalPathEnd end;

    put_parts(&world, "1:5-5500");
    path = path_to(&world, 1);
    wal_path_add_parts(path);
    wal_path_add(path, "000000010000000000000005", get_nothing, NULL);
    wal_path_add(path, "000000010000000000000006", get_nothing, NULL);
    wal_path_end(path, 3072 << 10, &end);
    g_assert_cmpuint(end.end >> 10, ==, 7168);
    g_assert_false(end.gap);
}

static void names_the_file_that_serves(void)
{
    g_auto(World) world = world_new("1:3 1:5 2:6 2:7", true);
    g_autoptr(WalPath) path = path_to(&world, 2);
    static const struct {
        uint64_t lsn; // in KiB
        const char *name;
        uint64_t begin, end;
        bool held;
    } cases[] = {
        { 3072, "1:3", 3072, 4096, true },  { 3100, "1:3", 3072, 4096, true },
        { 4096, "1:4", 4096, 5120, false }, { 5120, "1:5", 5120, 5632, true },
        { 5632, "2:5", 5120, 6144, false }, { 6144, "2:6", 6144, 7168, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = NULL;
        WalPathSegment segment;

        wal_path_segment(path, cases[i].lsn << 10, &segment);
        name = word_of(&segment.name);
        g_assert_cmpstr(name, ==, cases[i].name);
        g_assert_cmpuint(segment.begin >> 10, ==, cases[i].begin);
        g_assert_cmpuint(segment.end >> 10, ==, cases[i].end);
        g_assert_cmpint(segment.held, ==, cases[i].held);
    }
}

static void knows_what_the_way_passes(void)
{
    g_auto(World) world = world_new("1:3", true);
    static const struct {
        uint32_t to, timeline;
        uint64_t lsn; // in KiB
        const char *problem;
    } cases[] = {
        { 1, 1, 9000, NULL },
        { 2, 1, 5632, NULL },
        { 2, 1, 5633, "leaves timeline 1 at 0/580000, before 0/580400" },
        { 3, 2, 8192, NULL },
        { 4, 2, 5700, "the way to timeline 4 does not pass timeline 2" },
        { 1, 3, 9000, "the way to timeline 1 does not pass timeline 3" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WalPath) path = path_to(&world, cases[i].to);
        g_autoptr(GError) error = NULL;
        bool passes = wal_path_passes(path, cases[i].timeline, cases[i].lsn << 10, &error);

        g_assert_cmpint(passes, ==, cases[i].problem == NULL);
        if (!cases[i].problem)
            continue;
        g_assert_error(error, BS_ERROR, BS_ERROR_WAL_GAP);
        g_assert_nonnull(strstr(error->message, cases[i].problem));
    }
}

static void says_what_is_held(void)
{
    g_auto(World) world = world_new("1:3 2:5", true);
    g_auto(World) empty = world_new("1:3", false);
    g_autoptr(WalHeld) nothing = wal_held_list(world.repo, OTHER, NULL);

    g_assert_cmpuint(wal_held_latest(world.held), ==, 5);
    g_assert_cmpuint(wal_held_latest(empty.held), ==, 1);
    g_assert_cmpuint(wal_held_latest(nothing), ==, 0);
    g_assert_true(wal_held_has(world.held, "00000004.history"));
    g_assert_false(wal_held_has(nothing, "00000004.history"));
    g_assert_cmpuint(wal_held_system_id(world.held), ==, CLUSTER);
}

static void a_timeline_without_its_history_goes_nowhere(void)
{
    g_auto(World) world = world_new("1:3 2:5", false);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) bad = NULL;

    g_assert_null(wal_path_new(world.held, 2, MIB, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_WAL_GAP);
    g_assert_nonnull(strstr(error->message, "00000002.history"));
    put(world.repo, CLUSTER, "00000002.history", "1\n");
    g_assert_null(wal_path_new(world.held, 2, MIB, &bad));
    g_assert_error(bad, BS_ERROR, BS_ERROR_CORRUPT);
}

static void hands_out_content(void)
{
    g_auto(World) world = world_new("1:3", false);
    g_autoptr(GBytes) content = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(wal_held_get(world.held, "000000010000000000000003", &content, NULL));
    g_assert_cmpmem(g_bytes_get_data(content, NULL), g_bytes_get_size(content), "1:3", 3);
    g_assert_false(wal_held_get(world.held, "000000010000000000000004", &content, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_WAL_GAP);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/op/walpath/follows-the-way", follows_the_way_to_its_end);
    g_test_add_func("/op/walpath/parts", a_part_serves_as_far_as_it_goes);
    g_test_add_func("/op/walpath/part-or-elsewhere", a_part_gives_way_to_what_lies_elsewhere);
    g_test_add_func("/op/walpath/names-the-file", names_the_file_that_serves);
    g_test_add_func("/op/walpath/passes", knows_what_the_way_passes);
    g_test_add_func("/op/walpath/held", says_what_is_held);
    g_test_add_func("/op/walpath/no-history", a_timeline_without_its_history_goes_nowhere);
    g_test_add_func("/op/walpath/content", hands_out_content);
    return g_test_run();
}
