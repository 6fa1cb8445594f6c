/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/heal.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "repo/config.h"
#include <string.h>

typedef struct {
    Store *from, *to; /* in memory; equal */
    Repo *repo;       /* on from */
} World;

static Store *fixture;
static SealKey master; /* opens it without deriving a key */

static Store *store_copy(Store *from)
{
    g_autoptr(GError) error = NULL;
    Store *copy = memory_store_new();
    Store *pair[] = { from, copy };

    store_list(from, "", copy_object, pair, &error);
    g_assert_no_error(error);
    return copy;
}

static void world_init(World *world)
{
    g_autoptr(GError) error = NULL;

    world->from = store_copy(fixture);
    world->to = store_copy(fixture);
    repo_open_master(world->from, &master, &(RepoOptions){ 0 }, &world->repo, &error);
    g_assert_no_error(error);
}

static void world_done(World *world)
{
    repo_close(world->repo);
    store_free(world->from);
    store_free(world->to);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static FileKey first_key(Store *store, FileType type)
{
    g_autoptr(GArray) files = NULL;

    g_assert_true(file_list(store, type, &files, NULL, NULL));
    g_assert_cmpuint(files->len, >, 0);
    return file_key(type, &g_array_index(files, FileInfo, 0).id);
}

static GBytes *get(Store *store, const char *key)
{
    GBytes *bytes = NULL;

    (void)store_get_whole(store, key, 1u << 30, &bytes, NULL);
    return bytes;
}

typedef enum { FLIP, CUT, LONGER, LOST } Damage;

static void damage(Store *store, const char *key, Damage how)
{
    g_autoptr(GBytes) bytes = get(store, key);
    gsize len = g_bytes_get_size(bytes);
    g_autofree char *data = g_malloc0(len + 1);

    memcpy(data, g_bytes_get_data(bytes, NULL), len);
    data[len / 2] = (char)(data[len / 2] ^ 1);
    if (how == LOST)
        g_assert_true(store_remove(store, key, NULL));
    else
        g_assert_true(
            store_put(store, key, data, how == CUT ? len - 1 : len + (how == LONGER), false, NULL));
}

static void assert_same(Store *one, Store *other, const char *key, bool same)
{
    g_autoptr(GBytes) here = get(one, key), there = get(other, key);

    g_assert_cmpint(here && there && g_bytes_equal(here, there), ==, same);
}

static void any_damage_of_any_kind_is_healed(void)
{
    static const FileType types[] = { FILE_KEY, FILE_SNAPSHOT, FILE_INDEX, FILE_PACK };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        for (Damage how = FLIP; how <= LOST; how++) {
            g_auto(World) world;
            g_autoptr(GError) error = NULL;
            FileKey key;

            world_init(&world);
            key = first_key(world.from, types[i]);
            damage(world.to, key.text, how);
            // proved, but not written
            g_assert_true(heal_object(world.from, world.to, key.text, false, &error));
            assert_same(world.from, world.to, key.text, false);
            heal_object(world.from, world.to, key.text, true, &error);
            g_assert_no_error(error);
            assert_same(world.from, world.to, key.text, true);
        }
}

static void what_is_sound_is_not_touched(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    FileKey key;

    world_init(&world);
    key = first_key(world.to, FILE_PACK);
    damage(world.from, key.text, FLIP);
    g_assert_false(heal_object(world.from, world.to, key.text, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    assert_same(fixture, world.to, key.text, true);
}

static void damage_replaces_nothing(void)
{
    static const struct {
        Damage there;
        int code;
    } cases[] = {
        { FLIP, BS_ERROR_CORRUPT },
        { CUT, BS_ERROR_CORRUPT },
        { LOST, BS_ERROR_NOT_FOUND },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world;
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) before = NULL, after = NULL;
        FileKey key;

        world_init(&world);
        key = first_key(world.to, FILE_PACK);
        damage(world.to, key.text, LONGER);
        damage(world.from, key.text, cases[i].there);
        before = get(world.to, key.text);
        g_assert_false(heal_object(world.from, world.to, key.text, true, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        after = get(world.to, key.text);
        g_assert_true(g_bytes_equal(before, after));
    }
}

static void only_names_that_are_hashes(void)
{
    static const char *const keys[] = { "config", "wal/7/x", "locks/x", "data/x" };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_auto(World) world;
        g_autoptr(GError) error = NULL;

        world_init(&world);
        g_assert_false(heal_object(world.from, world.to, keys[i], true, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

static ConfigState state(const World *world)
{
    g_autoptr(GError) error = NULL;
    ConfigState found = CONFIG_OURS;

    heal_config_state(world->repo, world->to, &found, &error);
    g_assert_no_error(error);
    return found;
}

static void config_is_judged_by_its_seal(void)
{
    g_auto(World) world;
    g_autoptr(Store) other = memory_store_new();
    g_autoptr(Secret) secret = secret_new("x", 1);
    g_autoptr(GBytes) config = NULL;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    g_assert_cmpint(state(&world), ==, CONFIG_OURS);
    for (Damage how = FLIP; how <= LOST; how++) {
        damage(world.to, CONFIG_KEY, how);
        g_assert_cmpint(state(&world), ==, how == LOST ? CONFIG_MISSING : CONFIG_FOREIGN);
        heal_config(world.repo, world.to, &error);
        g_assert_no_error(error);
        assert_same(world.from, world.to, CONFIG_KEY, true);
    }
    repo_init(other, secret, &(RepoInit){ .version = 2, .cost = QUICK_COST }, &error);
    g_assert_no_error(error);
    config = get(other, CONFIG_KEY);
    g_assert_true(store_put(world.to, CONFIG_KEY, g_bytes_get_data(config, NULL),
                            g_bytes_get_size(config), false, NULL));
    g_assert_cmpint(state(&world), ==, CONFIG_FOREIGN);
}

static void a_copy_shares_names(void)
{
    g_auto(World) world;
    g_autoptr(Store) empty = memory_store_new();
    bool copy = false;

    world_init(&world);
    g_assert_true(heal_is_copy(world.repo, world.to, &copy, NULL));
    g_assert_true(copy);
    g_assert_true(heal_is_copy(world.repo, empty, &copy, NULL));
    g_assert_false(copy);
}

int main(int argc, char **argv)
{
    g_autoptr(Repo) repo = NULL;
    int failed;

    g_test_init(&argc, &argv, NULL);
    fixture = fixture_store("v2-auto");
    repo = fixture_open(fixture, FIXTURE_PASSWORD);
    master = *repo_master_key(repo);
    g_test_add_func("/heal/any-damage-of-any-kind-is-healed", any_damage_of_any_kind_is_healed);
    g_test_add_func("/heal/what-is-sound-is-not-touched", what_is_sound_is_not_touched);
    g_test_add_func("/heal/damage-replaces-nothing", damage_replaces_nothing);
    g_test_add_func("/heal/only-names-that-are-hashes", only_names_that_are_hashes);
    g_test_add_func("/heal/config-is-judged-by-its-seal", config_is_judged_by_its_seal);
    g_test_add_func("/heal/a-copy-shares-names", a_copy_shares_names);
    failed = g_test_run();
    g_clear_pointer(&repo, repo_close);
    store_free(fixture);
    return failed;
}
