/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fallback.h"

#include "base/error.h"
#include "conformance.h"
#include "lib/flaky_store.h"
#include "store/memory.h"

#include <string.h>

static MirrorKind kind_of(const char *key)
{
    if (g_str_has_prefix(key, "locks/"))
        return MIRROR_LOCK;
    return g_str_equal(key, "own") ? MIRROR_OWN : MIRROR_NAMES;
}

typedef struct {
    Store *memory[3], *flaky[3]; /* the first, two others */
    Store *store;
    unsigned opened[2], told[2];
    bool gone; /* the first of the others cannot be had */
    char *why;
} World;

static Store *open_other(size_t i, void *user)
{
    World *world = user;

    world->opened[i]++;
    return i == 0 && world->gone ? NULL : world->flaky[i + 1];
}

static void note_used(size_t i, const GError *why, void *user)
{
    World *world = user;

    world->told[i]++;
    g_free(world->why);
    world->why = g_strdup(why ? why->message : "");
}

static void world_init(World *world)
{
    FallbackOptions options = { kind_of, open_other, note_used, world };

    *world = (World){ 0 };
    for (unsigned i = 0; i < 3; i++) {
        world->memory[i] = memory_store_new();
        world->flaky[i] = flaky_store_new(world->memory[i]);
    }
    world->store = fallback_store_new(world->flaky[0], &options);
    fallback_store_set(world->store, 2);
}

static void world_done(World *world)
{
    store_free(world->store);
    for (unsigned i = 0; i < 3; i++) {
        store_free(world->flaky[i]);
        store_free(world->memory[i]);
    }
    g_free(world->why);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static void put(Store *store, const char *key, const char *text)
{
    g_assert_true(store_put(store, key, text, strlen(text), false, NULL));
}

static void fail(Store *flaky, StoreCall call, int code)
{
    FlakyPlan plan = { .call = call, .at = 1, .code = code };

    flaky_store_plan(flaky, &plan);
}

static void assert_text(Store *store, const char *key, const char *text)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;
    size_t len = strlen(text);
    char part[100];
    uint64_t size;

    store_get_whole(store, key, 100, &bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, len);
    store_get(store, key, 1, part, len - 1, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(part, len - 1, text + 1, len - 1);
    store_stat(store, key, &size, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(size, ==, len);
}

static void asks_others_only_for_what_is_lacking(void)
{
    g_auto(World) world;

    world_init(&world);
    put(world.memory[0], "here", "first");
    put(world.memory[1], "here", "other");
    put(world.memory[2], "there", "from the last");
    assert_text(world.store, "here", "first");
    g_assert_cmpuint(world.opened[0], ==, 0);
    assert_text(world.store, "there", "from the last");
    g_assert_cmpuint(world.told[0], ==, 0);
    g_assert_cmpuint(world.told[1], ==, 1);
    // one missing object does not make the first store one that is away
    assert_text(world.store, "here", "first");
    g_assert_cmpuint(world.opened[0], ==, 1);
    g_assert_cmpuint(world.opened[1], ==, 1);
}

static void reads_on_when_the_first_goes_away(void)
{
    g_auto(World) world;

    world_init(&world);
    world.gone = true;
    put(world.memory[0], "k", "text");
    put(world.memory[2], "k", "text");
    fail(world.flaky[0], CALL_ANY, BS_ERROR_TRANSIENT);
    assert_text(world.store, "k", "text");
    g_assert_nonnull(strstr(world.why, "failed for the test"));
    g_assert_cmpuint(world.told[1], ==, 1);
    g_assert_cmpuint(world.opened[0], ==, 1);
    // and does not wait for it again
    g_assert_cmpuint(flaky_store_calls(world.flaky[0], CALL_ANY), ==, 1);
    // unless nobody else has it
    flaky_store_plan(world.flaky[0], NULL);
    put(world.memory[0], "only", "here");
    assert_text(world.store, "only", "here");
}

static void reads_what_is_cut_elsewhere(void)
{
    g_auto(World) world;
    char part[8];

    world_init(&world);
    put(world.memory[0], "data/x", "0123");
    put(world.memory[1], "data/x", "01234567");
    g_assert_true(store_get(world.store, "data/x", 0, part, 8, NULL));
    g_assert_cmpmem(part, 8, "01234567", 8);
}

static void says_what_the_first_said(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    uint64_t size;

    world_init(&world);
    fail(world.flaky[0], CALL_ANY, BS_ERROR_DENIED);
    fail(world.flaky[1], CALL_ANY, BS_ERROR_TRANSIENT);
    g_assert_false(store_stat(world.store, "k", &size, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
}

static bool count(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    (void)object;
    ++*(unsigned *)user;
    return true;
}

static void lists_one_store_at_a_time(void)
{
    g_auto(World) world;
    unsigned n = 0;

    world_init(&world);
    put(world.memory[0], "a/1", "x");
    put(world.memory[1], "a/1", "x");
    put(world.memory[1], "a/2", "x");
    g_assert_true(store_list(world.store, "a/", count, &n, NULL));
    g_assert_cmpuint(n, ==, 1);
    fail(world.flaky[0], CALL_LIST, BS_ERROR_TRANSIENT);
    n = 0;
    g_assert_true(store_list(world.store, "a/", count, &n, NULL));
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpuint(world.told[0], ==, 1);
}

static void a_listing_that_broke_off_is_an_error(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    FlakyPlan half = { .call = CALL_LIST, .at = 1, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY };
    unsigned n = 0;

    world_init(&world);
    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("a/%u", i);

        put(world.memory[0], key, "xx");
        put(world.memory[1], key, "xx");
    }
    flaky_store_plan(world.flaky[0], &half);
    g_assert_false(store_list(world.store, "a/", count, &n, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_clear_error(&error);
    // the same with the one that stands in
    fail(world.flaky[0], CALL_ANY, BS_ERROR_TRANSIENT);
    assert_text(world.store, "a/1", "xx");
    half.code = BS_ERROR_DENIED;
    flaky_store_plan(world.flaky[1], &half);
    g_assert_false(store_list(world.store, "a/", count, &n, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
}

static bool stop(const StoreObject *object, void *user, GError **error)
{
    (void)object;
    (void)user;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "enough");
    return false;
}

static void whoever_lists_may_stop(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    put(world.memory[0], "a/1", "x");
    put(world.memory[1], "a/1", "x");
    g_assert_false(store_list(world.store, "a/", stop, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_cmpuint(world.opened[0], ==, 0);
}

static void locks_and_its_own_stay_with_the_first(void)
{
    g_auto(World) world;
    uint64_t size;
    unsigned n = 0;

    world_init(&world);
    put(world.memory[1], "locks/1", "x");
    put(world.memory[1], "own", "x");
    g_assert_false(store_stat(world.store, "locks/1", &size, NULL));
    g_assert_false(store_stat(world.store, "own", &size, NULL));
    g_assert_true(store_list(world.store, "locks/", count, &n, NULL));
    g_assert_cmpuint(n, ==, 0);
    put(world.store, "locks/2", "x");
    g_assert_true(store_stat(world.memory[0], "locks/2", &size, NULL));
    g_assert_false(store_stat(world.memory[1], "locks/2", &size, NULL));
    fail(world.flaky[0], CALL_PUT, BS_ERROR_TRANSIENT);
    g_assert_false(store_put(world.store, "locks/3", "x", 1, false, NULL));
    g_assert_cmpuint(world.opened[0], ==, 0);
}

/* ---- any store ---- */

static Store *no_other(size_t i, void *user)
{
    (void)i;
    return user; // an empty one
}

static void never_used(size_t i, const GError *why, void *user)
{
    (void)i;
    (void)user;
    g_assert_no_error(why);
}

typedef struct {
    Store *first, *other;
} Pair;

static Store *make(void **ret_place)
{
    Pair *pair = g_new0(Pair, 1);
    Store *store;

    pair->first = memory_store_new();
    pair->other = memory_store_new();
    store = fallback_store_new(pair->first,
                               &(FallbackOptions){ kind_of, no_other, never_used, pair->other });
    fallback_store_set(store, 1);
    *ret_place = pair;
    return store;
}

static void discard(Store *store, void *place)
{
    Pair *pair = place;

    store_free(store);
    store_free(pair->first);
    store_free(pair->other);
    g_free(pair);
}

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "fallback", .open = make, .close = discard, .n_listed = 100
    };

    g_test_init(&argc, &argv, NULL);
    store_conformance_add(&maker);
    g_test_add_func("/fallback/asks-others-only-for-what-is-lacking",
                    asks_others_only_for_what_is_lacking);
    g_test_add_func("/fallback/reads-on-when-the-first-goes-away",
                    reads_on_when_the_first_goes_away);
    g_test_add_func("/fallback/reads-what-is-cut-elsewhere", reads_what_is_cut_elsewhere);
    g_test_add_func("/fallback/says-what-the-first-said", says_what_the_first_said);
    g_test_add_func("/fallback/lists-one-store-at-a-time", lists_one_store_at_a_time);
    g_test_add_func("/fallback/a-listing-that-broke-off-is-an-error",
                    a_listing_that_broke_off_is_an_error);
    g_test_add_func("/fallback/whoever-lists-may-stop", whoever_lists_may_stop);
    g_test_add_func("/fallback/locks-and-its-own-stay-with-the-first",
                    locks_and_its_own_stay_with_the_first);
    return g_test_run();
}
