/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mirror.h"

#include "base/error.h"
#include "conformance.h"
#include "lib/flaky_store.h"
#include "lib/gate_store.h"
#include "store/memory.h"

#include <string.h>

#define LARGE (12u * 1024 * 1024) /* two find room on the way to a copy, three do not */

static MirrorKind kind_of(const char *key)
{
    if (g_str_has_prefix(key, "data/"))
        return MIRROR_DATA;
    if (g_str_has_prefix(key, "locks/"))
        return MIRROR_LOCK;
    return g_str_equal(key, "own") ? MIRROR_OWN : MIRROR_NAMES;
}

/* ---- a store with two copies ---- */

typedef struct {
    unsigned told;
    MirrorTakes takes; /* as told last */
    char *name, *why;
} Told;

typedef struct {
    Store *memory[3], *flaky[3]; /* first, required, eventual */
    Store *gate;                 /* before the eventual one */
    Store *store;
    Told told;
} World;

static void note_behind(const MirrorState *state, void *user)
{
    Told *told = user;

    told->told++;
    told->takes = state->takes;
    g_free(told->name);
    g_free(told->why);
    told->name = g_strdup(state->name);
    told->why = g_strdup(state->why->message);
}

static void world_init(World *world)
{
    MirrorOptions options = { kind_of, note_behind, &world->told, 100 };

    *world = (World){ 0 };
    for (unsigned i = 0; i < 3; i++) {
        world->memory[i] = memory_store_new();
        world->flaky[i] = flaky_store_new(world->memory[i]);
    }
    world->gate = gate_store_new(world->flaky[2]);
    world->store = mirror_store_new(world->flaky[0], &options);
    mirror_store_add(world->store, "near", world->flaky[1], true, MIRROR_TAKES_ALL);
    mirror_store_add(world->store, "far", world->gate, false, MIRROR_TAKES_ALL);
}

static void world_done(World *world)
{
    store_free(world->store);
    store_free(world->gate);
    for (unsigned i = 0; i < 3; i++) {
        store_free(world->flaky[i]);
        store_free(world->memory[i]);
    }
    g_free(world->told.name);
    g_free(world->told.why);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static bool holds(Store *store, const char *key)
{
    uint64_t size;

    return store_stat(store, key, &size, NULL);
}

static void assert_text(Store *store, const char *key, const char *text)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;

    store_get_whole(store, key, 1000, &bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

static void put(Store *store, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    store_put(store, key, text, strlen(text), false, &error);
    g_assert_no_error(error);
}

static void fail_from(Store *flaky, StoreCall call, unsigned at)
{
    FlakyPlan plan = { .call = call, .at = at, .code = BS_ERROR_TRANSIENT };

    flaky_store_plan(flaky, &plan);
}

static void assert_far(const World *world, MirrorTakes takes, uint64_t missed, uint64_t kept)
{
    g_auto(MirrorState) state = { 0 };

    mirror_store_state(world->store, 1, &state);
    g_assert_cmpstr(state.name, ==, "far");
    g_assert_false(state.required);
    g_assert_cmpint(state.takes, ==, takes);
    g_assert_cmpuint(state.missed, ==, missed);
    g_assert_cmpuint(state.kept, ==, kept);
}

/* ---- all is well ---- */

static void every_copy_gets_everything(void)
{
    g_auto(World) world;
    static const char *const gone[] = { "data/2", "data/3" };

    world_init(&world);
    put(world.store, "data/1", "one");
    put(world.store, "data/2", "two");
    put(world.store, "data/3", "three");
    put(world.store, "index/1", "names them");
    put(world.store, "own", "mine");
    g_assert_true(store_remove(world.store, "index/1", NULL));
    g_assert_true(store_remove_many(world.store, gone, 2, NULL));
    g_assert_true(store_put(world.store, "wal/1", "w", 1, true, NULL));
    mirror_store_flush(world.store);
    for (unsigned i = 0; i < 3; i++) {
        assert_text(world.memory[i], "data/1", "one");
        assert_text(world.memory[i], "wal/1", "w");
        g_assert_false(holds(world.memory[i], "data/2"));
        g_assert_false(holds(world.memory[i], "data/3"));
        g_assert_false(holds(world.memory[i], "index/1"));
        g_assert_true(holds(world.memory[i], "own") == (i == 0));
    }
    assert_far(&world, MIRROR_TAKES_ALL, 0, 0);
    g_assert_cmpuint(world.told.told, ==, 0);
}

static bool read_large(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    uint64_t *left = user;

    (void)error;
    *ret_len = (size_t)MIN(size, *left);
    memset(buf, (int)(*left >> 16), *ret_len);
    *left -= *ret_len;
    return true;
}

static void streams_reach_every_copy(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    uint64_t left = 40u * 1024 * 1024, size; // more than is carried in one piece

    world_init(&world);
    store_put_stream(world.store, "wal/stream", read_large, &left, &error);
    g_assert_no_error(error);
    mirror_store_flush(world.store);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(store_stat(world.memory[i], "wal/stream", &size, NULL));
        g_assert_cmpuint(size, ==, 40u * 1024 * 1024);
    }
}

/* ---- the required copy ---- */

static void a_required_copy_decides(void)
{
    static const struct {
        const char *label, *key;
        StoreCall call;
        bool shown; /* the first store may have it although the call failed */
    } cases[] = {
        { "what names something is not shown", "index/1", CALL_PUT, false },
        { "data may lie in the first store", "data/1", CALL_PUT, true },
        { "locks count everywhere", "locks/1", CALL_PUT, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        world_init(&world);
        fail_from(world.flaky[1], cases[i].call, 1);
        g_assert_false(store_put(world.store, cases[i].key, "x", 1, false, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_assert_nonnull(strstr(error->message, "required mirror near: "));
        if (!cases[i].shown)
            g_assert_false(holds(world.memory[0], cases[i].key));
        mirror_store_flush(world.store);
        if (!g_str_has_prefix(cases[i].key, "locks/"))
            g_assert_false(holds(world.memory[2], cases[i].key));
        // and goes on when it is back
        flaky_store_plan(world.flaky[1], NULL);
        put(world.store, cases[i].key, "x");
        g_assert_true(holds(world.memory[0], cases[i].key));
        g_assert_true(holds(world.memory[1], cases[i].key));
        g_assert_cmpuint(world.told.told, ==, 0);
    }
}

static void removals_fail_with_a_required_copy(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    put(world.store, "index/1", "x");
    fail_from(world.flaky[1], CALL_REMOVE, 1);
    g_assert_false(store_remove(world.store, "index/1", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_nonnull(strstr(error->message, "near"));
    // never is something shown that the required copy lacks
    g_assert_false(holds(world.memory[0], "index/1"));
    g_assert_true(holds(world.memory[1], "index/1"));
}

static void a_required_copy_that_lacks_something_gets_no_names(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    mirror_store_set(world.store, 0, MIRROR_TAKES_DATA);
    put(world.store, "data/1", "x");
    g_assert_false(store_put(world.store, "index/1", "x", 1, false, &error));
    g_assert_nonnull(strstr(error->message, "mirror sync near"));
    g_assert_false(store_put(world.store, "wal/1", "x", 1, true, NULL));
    g_assert_false(holds(world.memory[1], "index/1"));
    g_assert_false(holds(world.memory[1], "wal/1"));
    mirror_store_set(world.store, 0, MIRROR_TAKES_PUTS);
    put(world.store, "index/1", "x");
    g_assert_true(holds(world.memory[1], "index/1"));
}

/* Whoever puts the same again finds it there, and then every required copy has it, too. */
static void what_is_there_already_is_completed(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    fail_from(world.flaky[1], CALL_PUT, 1);
    g_assert_false(store_put(world.store, "wal/1", "first", 5, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_clear_error(&error);
    assert_text(world.memory[0], "wal/1", "first");
    // as long as the copy is away, "it exists" would be a lie
    g_assert_false(store_put(world.store, "wal/1", "again", 5, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_clear_error(&error);
    flaky_store_plan(world.flaky[1], NULL);
    g_assert_false(store_put(world.store, "wal/1", "again", 5, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    mirror_store_flush(world.store);
    assert_text(world.memory[1], "wal/1", "first");
    assert_text(world.memory[2], "wal/1", "first");
}

static void another_object_at_a_copy_stays(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;

    world_init(&world);
    put(world.memory[1], "wal/1", "theirs");
    g_assert_false(store_put(world.store, "wal/1", "ours", 4, true, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_assert_nonnull(strstr(error->message, "required mirror near: "));
    assert_text(world.memory[1], "wal/1", "theirs");
    // the same at the eventual one: it is behind
    put(world.memory[2], "wal/2", "theirs");
    g_assert_true(store_put(world.store, "wal/2", "ours", 4, true, NULL));
    mirror_store_flush(world.store);
    assert_text(world.memory[2], "wal/2", "theirs");
    assert_far(&world, MIRROR_TAKES_NOTHING, 1, 0);
    g_assert_nonnull(strstr(world.told.why, "another wal/2"));
}

/* ---- the eventual copy ---- */

static void an_eventual_copy_that_fails_is_told_once(void)
{
    g_auto(World) world;

    world_init(&world);
    put(world.store, "data/1", "one");
    mirror_store_flush(world.store);
    fail_from(world.flaky[2], CALL_PUT, 1);
    put(world.store, "data/2", "two");
    mirror_store_flush(world.store);
    g_assert_cmpuint(world.told.told, ==, 1);
    g_assert_cmpstr(world.told.name, ==, "far");
    g_assert_nonnull(strstr(world.told.why, "failed for the test"));
    // what is away is not asked again
    put(world.store, "data/3", "three");
    put(world.store, "index/1", "names them");
    put(world.store, "locks/1", "l");
    g_assert_true(store_remove(world.store, "index/1", NULL));
    mirror_store_flush(world.store);
    g_assert_cmpuint(flaky_store_calls(world.flaky[2], CALL_ANY), ==, 1);
    g_assert_cmpuint(world.told.told, ==, 1);
    assert_far(&world, MIRROR_TAKES_NOTHING, 3, 1);
    g_assert_true(holds(world.memory[1], "data/3"));
}

/* Nothing may come before what it names, whoever is faster. */
static void an_eventual_copy_keeps_the_order(void)
{
    g_auto(World) world;
    g_autofree char *log = NULL;
    g_auto(GStrv) rows = NULL;

    world_init(&world);
    gate_store_close(world.gate);
    put(world.store, "data/1", "x");
    put(world.store, "data/2", "x");
    put(world.store, "data/3", "x");
    put(world.store, "index/1", "x");
    put(world.store, "data/4", "x");
    put(world.store, "snapshots/1", "x");
    g_assert_true(store_remove(world.store, "index/1", NULL));
    g_assert_false(holds(world.memory[2], "data/1"));
    gate_store_open(world.gate);
    mirror_store_flush(world.store);
    log = gate_store_log(world.gate);
    rows = g_strsplit(log, "\n", -1);
    g_assert_cmpuint(g_strv_length(rows), ==, 8);
    g_assert_cmpstr(rows[3], ==, "put index/1"); // behind three of data, in any order
    g_assert_cmpstr(rows[4], ==, "put data/4");
    g_assert_cmpstr(rows[5], ==, "put snapshots/1");
    g_assert_cmpstr(rows[6], ==, "remove index/1");
}

static void a_slow_copy_gets_data_and_no_names(void)
{
    g_auto(World) world;
    g_autofree char *large = g_strnfill(LARGE, 'x');

    world_init(&world);
    gate_store_close(world.gate);
    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("data/%u", i);

        g_assert_true(store_put(world.store, key, large, LARGE, false, NULL));
        g_assert_true(holds(world.memory[1], key));
    }
    g_assert_cmpuint(world.told.told, ==, 1);
    g_assert_cmpint(world.told.takes, ==, MIRROR_TAKES_DATA);
    g_assert_nonnull(strstr(world.told.why, "too slow"));
    put(world.store, "index/1", "names all four");
    gate_store_open(world.gate);
    mirror_store_flush(world.store);
    put(world.store, "data/5", "more");
    mirror_store_flush(world.store);
    g_assert_true(holds(world.memory[2], "data/0"));
    g_assert_true(holds(world.memory[2], "data/1"));
    g_assert_false(holds(world.memory[2], "data/2"));
    g_assert_false(holds(world.memory[2], "index/1"));
    g_assert_true(holds(world.memory[2], "data/5"));
    assert_far(&world, MIRROR_TAKES_DATA, 3, 0);
}

static void a_copy_with_more_than_the_first_keeps_it(void)
{
    g_auto(World) world;

    world_init(&world);
    mirror_store_set(world.store, 1, MIRROR_TAKES_PUTS);
    put(world.store, "snapshots/1", "x");
    g_assert_true(store_remove(world.store, "snapshots/1", NULL));
    mirror_store_flush(world.store);
    g_assert_true(holds(world.memory[2], "snapshots/1"));
    assert_far(&world, MIRROR_TAKES_PUTS, 0, 1);
}

/* ---- locks ---- */

static bool count(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_assert_true(g_str_has_prefix(object->key, "locks/"));
    ++*(unsigned *)user;
    return true;
}

static unsigned n_locks(Store *store)
{
    g_autoptr(GError) error = NULL;
    unsigned n = 0;

    store_list(store, "locks/", count, &n, &error);
    g_assert_no_error(error);
    return n;
}

static void locks_are_seen_wherever_they_lie(void)
{
    g_auto(World) world;

    world_init(&world);
    put(world.store, "locks/ours", "l");
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(holds(world.memory[i], "locks/ours"));
    put(world.memory[1], "locks/near", "of somebody who works on that copy");
    put(world.memory[2], "locks/far", "another");
    g_assert_cmpuint(n_locks(world.store), ==, 3);
    assert_text(world.store, "locks/near", "of somebody who works on that copy");
    assert_text(world.store, "locks/far", "another");
    g_assert_true(store_remove(world.store, "locks/far", NULL));
    g_assert_false(holds(world.memory[2], "locks/far"));
    // a copy that went away is not asked any more
    fail_from(world.flaky[2], CALL_ANY, 1);
    g_assert_cmpuint(n_locks(world.store), ==, 2);
    g_assert_cmpuint(world.told.told, ==, 1);
    put(world.store, "locks/more", "l");
    g_assert_cmpuint(flaky_store_calls(world.flaky[2], CALL_ANY), ==, 1);
    // and a required one must be
    fail_from(world.flaky[1], CALL_LIST, 1);
    {
        g_autoptr(GError) error = NULL;
        unsigned n = 0;

        g_assert_false(store_list(world.store, "locks/", count, &n, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    }
}

static void a_lock_holds_where_it_lies(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    uint64_t size;

    world_init(&world);
    put(world.store, "locks/ours", "l");
    g_assert_true(store_stat(world.store, "locks/ours", &size, NULL));
    // taken away at the eventual copy: that one is given up, the run is not
    g_assert_true(store_remove(world.memory[2], "locks/ours", NULL));
    g_assert_true(store_stat(world.store, "locks/ours", &size, NULL));
    assert_far(&world, MIRROR_TAKES_NOTHING, 0, 0);
    // at the required one: it is lost
    g_assert_true(store_remove(world.memory[1], "locks/ours", NULL));
    g_assert_false(store_stat(world.store, "locks/ours", &size, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* ---- any store ---- */

typedef struct {
    Store *first, *near, *far;
} Suite;

static void ignore_behind(const MirrorState *state, void *user)
{
    (void)user;
    g_test_message("%s: %s", state->name, state->why->message);
}

static Store *make(void **ret_place)
{
    MirrorOptions options = { kind_of, ignore_behind, NULL, 0 };
    Suite *suite = g_new0(Suite, 1);
    Store *store;

    suite->first = memory_store_new();
    suite->near = memory_store_new();
    suite->far = memory_store_new();
    store = mirror_store_new(suite->first, &options);
    mirror_store_add(store, "near", suite->near, true, MIRROR_TAKES_ALL);
    mirror_store_add(store, "far", suite->far, false, MIRROR_TAKES_ALL);
    *ret_place = suite;
    return store;
}

static bool is_same(const StoreObject *object, void *user, GError **error)
{
    Store *const *pair = user;
    g_autoptr(GBytes) here = NULL, there = NULL;

    if (!store_get_whole(pair[0], object->key, object->size, &here, error) ||
        !store_get_whole(pair[1], object->key, object->size, &there, error))
        return false;
    g_assert_true(g_bytes_equal(here, there));
    return true;
}

static void assert_same(Store *a, Store *b)
{
    g_autoptr(GError) error = NULL;
    Store *there[] = { a, b }, *back[] = { b, a };

    store_list(a, "", is_same, there, &error);
    g_assert_no_error(error);
    store_list(b, "", is_same, back, &error);
    g_assert_no_error(error);
}

/* Whatever the suite did, the copies have it. */
static void discard(Store *store, void *place)
{
    g_auto(MirrorState) far = { 0 };
    Suite *suite = place;

    mirror_store_flush(store);
    mirror_store_state(store, 1, &far);
    assert_same(suite->first, suite->near);
    if (far.takes == MIRROR_TAKES_ALL)
        assert_same(suite->first, suite->far);
    store_free(store);
    store_free(suite->first);
    store_free(suite->near);
    store_free(suite->far);
    g_free(suite);
}

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "mirror", .open = make, .close = discard, .n_listed = 300
    };

    g_test_init(&argc, &argv, NULL);
    store_conformance_add(&maker);
    g_test_add_func("/mirror/every-copy-gets-everything", every_copy_gets_everything);
    g_test_add_func("/mirror/streams-reach-every-copy", streams_reach_every_copy);
    g_test_add_func("/mirror/a-required-copy-decides", a_required_copy_decides);
    g_test_add_func("/mirror/removals-fail-with-a-required-copy",
                    removals_fail_with_a_required_copy);
    g_test_add_func("/mirror/a-required-copy-that-lacks-something-gets-no-names",
                    a_required_copy_that_lacks_something_gets_no_names);
    g_test_add_func("/mirror/what-is-there-already-is-completed",
                    what_is_there_already_is_completed);
    g_test_add_func("/mirror/another-object-at-a-copy-stays", another_object_at_a_copy_stays);
    g_test_add_func("/mirror/an-eventual-copy-that-fails-is-told-once",
                    an_eventual_copy_that_fails_is_told_once);
    g_test_add_func("/mirror/an-eventual-copy-keeps-the-order", an_eventual_copy_keeps_the_order);
    g_test_add_func("/mirror/a-slow-copy-gets-data-and-no-names",
                    a_slow_copy_gets_data_and_no_names);
    g_test_add_func("/mirror/a-copy-with-more-than-the-first-keeps-it",
                    a_copy_with_more_than_the_first_keeps_it);
    g_test_add_func("/mirror/locks-are-seen-wherever-they-lie", locks_are_seen_wherever_they_lie);
    g_test_add_func("/mirror/a-lock-holds-where-it-lies", a_lock_holds_where_it_lies);
    return g_test_run();
}
