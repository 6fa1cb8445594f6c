/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cache.h"

#include "codec/hash.h"
#include "conformance.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "store/memory.h"

#include <pthread.h>
#include <string.h>

#define KIB    1024u
#define MIB    (KIB * KIB)
#define BYTES  (64 * MIB) /* of the cache, unless a test is about it */
#define SIZE   (64 * KIB) /* of an object */
#define DAY_S  (24 * 60 * 60)
#define RACERS 8

static const char *const plain_prefixes[] = { "snapshots/", "index/", NULL };
static const char *const tree_prefixes[] = { "data/", NULL };

/* ---- a far store in memory, and a cache before it ---- */

typedef struct {
    Store *memory;
    Store *far;   /* the same; counts, and fails when told to */
    char *parent; /* of dir, which is the cache's to make */
    char *dir;
    Cache *cache;
    Store *plain, *trees;
} Place;

static void open_cache(Place *place, uint64_t bytes)
{
    place->cache = cache_new(place->dir, bytes);
    place->plain = cache_store_new(place->far, place->cache, plain_prefixes);
    place->trees = cache_store_new(place->far, place->cache, tree_prefixes);
}

static void close_cache(Place *place)
{
    store_free(place->plain);
    store_free(place->trees);
    cache_free(place->cache);
}

/* What the next process finds. */
static void open_anew(Place *place)
{
    close_cache(place);
    open_cache(place, BYTES);
    flaky_store_plan(place->far, NULL);
}

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->memory = memory_store_new();
    place->far = flaky_store_new(place->memory);
    place->parent = tempdir_new();
    place->dir = g_build_filename(place->parent, "repository", NULL);
    open_cache(place, BYTES);
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    close_cache(place);
    store_free(place->far);
    store_free(place->memory);
    g_free(place->dir);
    tempdir_remove(place->parent);
}

/* ---- objects ---- */

typedef struct {
    uint8_t *data;
    size_t len;
    char *key;
} Object;

static void object_clear(Object *object)
{
    g_free(object->data);
    g_free(object->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Object, object_clear)

static Object object_new(const char *prefix, uint32_t seed, size_t len)
{
    Object object = { .data = g_malloc(len), .len = len };
    Id id;

    for (size_t i = 0; i < len; i++)
        object.data[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    hash_bytes(object.data, len, &id);
    object.key = g_strconcat(prefix, id_hex(&id).text, NULL);
    return object;
}

static void put(Store *store, const Object *object)
{
    g_assert_true(store_put(store, object->key, object->data, object->len, false, NULL));
}

static void assert_whole(Store *store, const Object *object)
{
    g_autoptr(GBytes) data = NULL;
    g_autoptr(GError) error = NULL;

    store_get_whole(store, object->key, object->len, &data, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(data, NULL), g_bytes_get_size(data), object->data,
                    object->len);
}

static void assert_part(Store *store, const Object *object, size_t offset, size_t len)
{
    g_autofree uint8_t *part = g_malloc(len);
    g_autoptr(GError) error = NULL;

    store_get(store, object->key, offset, part, len, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(part, len, object->data + offset, len);
}

static void assert_parts(Store *store, const Object *object)
{
    for (size_t offset = 0; offset + 1000 <= object->len; offset += 10000)
        assert_part(store, object, offset, 1000);
}

/* ---- what is asked of the far store, and what lies near ---- */

static void assert_calls(const Place *place, StoreCall call, unsigned n)
{
    g_assert_cmpuint(flaky_store_calls(place->far, call), ==, n);
}

static char *path_of(const Place *place, const Object *object)
{
    return g_build_filename(place->dir, object->key, NULL);
}

static bool has_copy(const Place *place, const Object *object)
{
    g_autofree char *path = path_of(place, object);

    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

static uint64_t bytes_in(const char *dir)
{
    g_autoptr(GDir) opened = g_dir_open(dir, 0, NULL);
    const char *name;
    uint64_t sum = 0;

    while (opened && (name = g_dir_read_name(opened))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat st;

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            sum += bytes_in(path);
        else if (stat(path, &st) == 0)
            sum += (uint64_t)st.st_size;
    }
    return sum;
}

/* As if it had last been used so long ago. */
static void make_old(const Place *place, const char *key, int64_t age_s)
{
    g_autofree char *path = g_build_filename(place->dir, key, NULL);
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                 { .tv_sec = g_get_real_time() / G_USEC_PER_SEC - age_s } };

    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

/* ---- copies are made and used ---- */

static void what_was_put_is_near(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);

    put(place->plain, &snapshot);
    put(place->trees, &pack);
    flaky_store_plan(place->far, NULL);
    for (unsigned round = 0; round < 2; round++) {
        assert_whole(place->plain, &snapshot);
        assert_parts(place->trees, &pack);
        assert_calls(place, CALL_ANY, 0);
        open_anew(place);
    }
    assert_whole(place->memory, &snapshot);
    assert_whole(place->memory, &pack);
}

static void what_was_read_is_near(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) index = object_new("index/", 1, SIZE);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);

    put(place->memory, &index);
    put(place->memory, &pack);
    assert_whole(place->plain, &index);
    assert_parts(place->trees, &pack);
    assert_calls(place, CALL_GET_WHOLE, 2);
    assert_calls(place, CALL_ANY, 2);
    open_anew(place);
    assert_whole(place->plain, &index);
    assert_parts(place->trees, &pack);
    assert_calls(place, CALL_ANY, 0);
}

static void only_what_belongs_there_is_near(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) lock = object_new("locks/", 1, 100);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);
    Object config = { (uint8_t *)"text", 4, (char *)"config" };
    Object named = { (uint8_t *)"text", 4, (char *)"snapshots/name" };

    // to the plain store packs are not its own, even when the other one has copies
    put(place->trees, &pack);
    flaky_store_plan(place->far, NULL);
    assert_parts(place->plain, &pack);
    assert_calls(place, CALL_GET, SIZE / 10000 + 1);
    put(place->plain, &lock);
    put(place->plain, &config);
    put(place->plain, &named);
    assert_whole(place->plain, &lock);
    assert_whole(place->plain, &config);
    assert_whole(place->plain, &named);
    assert_calls(place, CALL_GET_WHOLE, 3);
    g_assert_cmpuint(tempdir_n_files(place->dir), ==, 1);
}

static void a_put_that_failed_leaves_no_copy(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    FlakyPlan plan = { .call = CALL_PUT, .at = 1, .code = BS_ERROR_DENIED };

    flaky_store_plan(place->far, &plan);
    g_assert_false(store_put(place->plain, snapshot.key, snapshot.data, snapshot.len, false, NULL));
    g_assert_false(has_copy(place, &snapshot));
}

static void a_large_object_comes_in_pieces(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, 33 * MIB);

    close_cache(place);
    open_cache(place, 4 * 33 * MIB);
    put(place->memory, &pack);
    assert_part(place->trees, &pack, 33 * MIB - 10, 10);
    assert_calls(place, CALL_GET_WHOLE, 1);
    assert_calls(place, CALL_STAT, 1);
    assert_calls(place, CALL_GET, 5);
    assert_part(place->trees, &pack, 8 * MIB - 10, 20);
    assert_calls(place, CALL_ANY, 7);
    assert_whole(place->trees, &pack);
    assert_calls(place, CALL_ANY, 7);
}

static void copies_are_private(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, 100);
    g_autofree char *path = path_of(place, &pack);
    mode_t umask_before = umask(0);
    struct stat st;

    put(place->trees, &pack);
    umask(umask_before);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0400);
    for (unsigned up = 0; up < 3; up++) {
        *strrchr(path, '/') = '\0';
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0700);
    }
    g_assert_cmpstr(path, ==, place->dir);
}

/* ---- damage ---- */

typedef enum { FLIPPED, CUT, EMPTY, LONGER } Damage;

static void damage_copy(const Place *place, const Object *object, Damage damage)
{
    g_autofree char *path = path_of(place, object);
    g_autofree uint8_t *bytes = g_malloc(object->len + 1);
    size_t len = object->len;

    memcpy(bytes, object->data, len);
    bytes[len] = 'x';
    if (damage == FLIPPED)
        bytes[len / 2] ^= 1;
    else
        len = damage == CUT ? len / 2 : damage == EMPTY ? 0 : len + 1;
    g_assert_cmpint(unlink(path), ==, 0);
    tempdir_write(place->dir, object->key, bytes, len);
}

static void a_damaged_copy_is_made_anew(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (Damage damage = FLIPPED; damage <= LONGER; damage++) {
        g_auto(Object) snapshot = object_new("snapshots/", damage, 300);

        put(place->plain, &snapshot);
        damage_copy(place, &snapshot, damage);
        open_anew(place);
        assert_whole(place->plain, &snapshot);
        assert_whole(place->plain, &snapshot);
        assert_calls(place, CALL_GET_WHOLE, 1);
    }
}

static void a_cut_copy_is_made_anew_for_a_part(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (Damage damage = CUT; damage <= EMPTY; damage++) {
        g_auto(Object) pack = object_new("data/ab/", damage, SIZE);

        put(place->trees, &pack);
        damage_copy(place, &pack, damage);
        open_anew(place);
        assert_part(place->trees, &pack, SIZE - 10, 10);
        assert_parts(place->trees, &pack);
        assert_calls(place, CALL_GET_WHOLE, 1);
        assert_calls(place, CALL_ANY, 1);
    }
}

static void the_reader_of_a_part_can_ask(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);
    uint8_t byte;

    put(place->trees, &pack);
    g_assert_false(cache_drop_damaged(place->cache, pack.key));
    g_assert_true(has_copy(place, &pack));
    damage_copy(place, &pack, FLIPPED);
    g_assert_true(store_get(place->trees, pack.key, SIZE / 2, &byte, 1, NULL));
    g_assert_cmpuint(byte, !=, pack.data[SIZE / 2]);
    g_assert_true(cache_drop_damaged(place->cache, pack.key));
    g_assert_false(has_copy(place, &pack));
    g_assert_false(cache_drop_damaged(place->cache, pack.key));
    assert_parts(place->trees, &pack);
    g_assert_true(has_copy(place, &pack));
    g_assert_false(cache_drop_damaged(place->cache, "config"));
}

/* It is not ours to hide: everybody sees what the store holds. */
static void a_damaged_object_has_no_copy(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);
    g_auto(Object) large = object_new("data/cd/", 3, 33 * MIB);

    close_cache(place);
    open_cache(place, 4 * 33 * MIB);
    snapshot.data[1] ^= 1;
    pack.data[1] ^= 1;
    large.data[1] ^= 1;
    put(place->memory, &snapshot);
    put(place->memory, &pack);
    put(place->memory, &large);
    for (unsigned round = 0; round < 2; round++) {
        assert_whole(place->plain, &snapshot);
        assert_part(place->trees, &pack, 0, 1000);
        assert_part(place->trees, &large, 0, 1000);
    }
    // the snapshot each time; each pack once whole (the large one in pieces), then by parts
    assert_calls(place, CALL_GET_WHOLE, 2 + 1 + 1);
    assert_calls(place, CALL_GET, 5 + 2 * 2);
    g_assert_cmpuint(bytes_in(place->dir), ==, 0);
}

/* ---- copies go with their objects ---- */

static bool do_nothing(G_GNUC_UNUSED const StoreObject *object, G_GNUC_UNUSED void *user,
                       G_GNUC_UNUSED GError **error)
{
    return true;
}

static bool stop(G_GNUC_UNUSED const StoreObject *object, G_GNUC_UNUSED void *user, GError **error)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    return false;
}

static void removing_an_object_removes_its_copy(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    g_auto(Object) one = object_new("data/ab/", 2, 300);
    g_auto(Object) two = object_new("data/ab/", 3, 300);
    const char *keys[] = { one.key, two.key, "config" };

    put(place->plain, &snapshot);
    put(place->trees, &one);
    put(place->trees, &two);
    g_assert_true(store_remove(place->plain, snapshot.key, NULL));
    g_assert_true(store_remove_many(place->plain, keys, 3, NULL));
    g_assert_cmpuint(tempdir_n_files(place->dir), ==, 0);
    g_assert_true(store_remove(place->plain, snapshot.key, NULL));
}

static void a_listing_without_an_object_removes_its_copy(Place *place,
                                                         G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) gone = object_new("data/ab/", 1, 300);
    g_auto(Object) here = object_new("data/ab/", 2, 300);
    g_auto(Object) snapshot = object_new("snapshots/", 3, 300);
    FlakyPlan plan = { .call = CALL_LIST, .at = 1, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY };

    put(place->trees, &gone);
    put(place->trees, &here);
    put(place->plain, &snapshot);
    g_assert_true(store_remove(place->memory, gone.key, NULL));
    g_assert_true(store_remove(place->memory, snapshot.key, NULL));
    // not of a listing that is not complete, nor of another prefix
    flaky_store_plan(place->far, &plan);
    g_assert_false(store_list(place->plain, "data/", do_nothing, NULL, NULL));
    flaky_store_plan(place->far, NULL);
    g_assert_false(store_list(place->plain, "data/", stop, NULL, NULL));
    g_assert_true(store_list(place->plain, "locks/", do_nothing, NULL, NULL));
    g_assert_cmpuint(tempdir_n_files(place->dir), ==, 3);
    g_assert_true(store_list(place->plain, "data/", do_nothing, NULL, NULL));
    g_assert_false(has_copy(place, &gone));
    g_assert_true(has_copy(place, &here));
    g_assert_true(has_copy(place, &snapshot));
    g_assert_true(store_list(place->plain, "snapshots/", do_nothing, NULL, NULL));
    g_assert_false(has_copy(place, &snapshot));
}

static void what_lies_beside_is_left_alone(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const names[] = { "index.v1", "CACHEDIR.TAG", "data/ab/notes",
                                         "snapshots/index.v1-tmp-1" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        tempdir_write(place->dir, names[i], "x", 1);
    for (uint32_t i = 0; i < 40; i++) {
        g_auto(Object) pack = object_new("data/ab/", i, 4 * MIB); // over the bound twice

        put(place->trees, &pack);
    }
    g_assert_true(store_remove(place->memory, "config", NULL));
    g_assert_true(store_list(place->plain, "", do_nothing, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(place->dir, names[i], NULL);

        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

/* ---- the bound ---- */

static void there_are_never_more_bytes_than_allowed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const size_t sizes[] = { 100, 3000, 60000, 250000 };

    close_cache(place);
    open_cache(place, MIB);
    for (uint32_t i = 0; i < 300; i++) {
        g_auto(Object) pack = object_new("data/ab/", i, sizes[i % G_N_ELEMENTS(sizes)]);

        put(place->trees, &pack);
        assert_part(place->trees, &pack, 50, 50);
        g_assert_cmpuint(bytes_in(place->dir), <=, MIB);
    }
    g_assert_cmpuint(bytes_in(place->dir), >, MIB / 2);
}

static void what_was_not_used_for_longest_goes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_auto(Object) used = object_new("data/ab/", 0, SIZE);

    close_cache(place);
    open_cache(place, 16 * SIZE);
    put(place->trees, &used);
    for (uint32_t i = 1; i < 14; i++) {
        g_auto(Object) pack = object_new("data/ab/", i, SIZE);

        put(place->trees, &pack);
        make_old(place, pack.key, i * 60); // the later, the longer ago
        g_ptr_array_add(keys, g_strdup(pack.key));
    }
    make_old(place, used.key, DAY_S);
    close_cache(place);
    open_cache(place, 16 * SIZE);
    assert_part(place->trees, &used, 0, 10);
    for (uint32_t i = 20; i < 24; i++) {
        g_auto(Object) pack = object_new("data/ab/", i, SIZE);

        put(place->trees, &pack);
        g_assert_true(has_copy(place, &pack));
    }
    g_assert_true(has_copy(place, &used));
    for (guint i = 0; i < keys->len; i++) {
        g_autofree char *path = g_build_filename(place->dir, g_ptr_array_index(keys, i), NULL);

        // of fourteen and four there is room for between fourteen and sixteen
        if (i < 9)
            g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
        if (i == 12)
            g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

static void what_is_too_large_is_read_by_parts(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);

    close_cache(place);
    open_cache(place, 3 * SIZE);
    put(place->memory, &pack);
    assert_part(place->trees, &pack, 0, 10);
    assert_part(place->trees, &pack, 10, 10);
    assert_calls(place, CALL_GET_WHOLE, 1);
    assert_calls(place, CALL_GET, 2);
    g_assert_cmpuint(bytes_in(place->dir), ==, 0);
}

static void old_leftovers_are_removed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);

    tempdir_write(place->dir, "data/ab/old-tmp-1", "x", 1);
    tempdir_write(place->dir, "data/ab/new-tmp-2", "x", 1);
    make_old(place, "data/ab/old-tmp-1", DAY_S + 60);
    put(place->trees, &pack);
    g_assert_cmpuint(tempdir_n_files(place->dir), ==, 2);
}

/* ---- when there is no cache to be had ---- */

static void without_a_directory_everything_is_asked(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);

    tempdir_write(place->parent, "repository", "a file is in the way", 1);
    put(place->plain, &snapshot);
    put(place->memory, &pack);
    assert_whole(place->plain, &snapshot);
    assert_part(place->trees, &pack, 0, 10);
    assert_part(place->trees, &pack, 10, 10);
    assert_calls(place, CALL_GET_WHOLE, 1); // nobody fetches what cannot be kept
    assert_calls(place, CALL_GET, 2);
    g_assert_true(store_list(place->plain, "", do_nothing, NULL, NULL));
    g_assert_true(store_remove(place->plain, snapshot.key, NULL));
}

static void it_may_be_deleted_at_any_time(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);
    g_auto(Object) other = object_new("data/ab/", 2, SIZE);

    put(place->trees, &pack);
    put(place->memory, &other);
    assert_parts(place->trees, &pack);
    tempdir_remove(g_strdup(place->dir));
    assert_parts(place->trees, &pack);
    assert_parts(place->trees, &other);
    assert_whole(place->trees, &other);
}

static void what_may_not_be_read_is_asked_for_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);
    FlakyPlan plan = { .call = CALL_ANY, .at = 1, .code = BS_ERROR_DENIED };
    uint8_t part[10];

    put(place->memory, &pack);
    flaky_store_plan(place->far, &plan);
    for (unsigned i = 0; i < 3; i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(store_get(place->trees, pack.key, 0, part, sizeof part, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    }
    assert_calls(place, CALL_GET_WHOLE, 1);
    assert_calls(place, CALL_GET, 3);
}

static void a_failure_to_fetch_is_no_refusal(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) pack = object_new("data/ab/", 1, SIZE);
    FlakyPlan plan = { .call = CALL_ANY, .at = 1, .n = 2, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) error = NULL;
    uint8_t part[10];

    put(place->memory, &pack);
    flaky_store_plan(place->far, &plan);
    g_assert_false(store_get(place->trees, pack.key, 0, part, sizeof part, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    assert_parts(place->trees, &pack);
    g_assert_true(has_copy(place, &pack));
}

/* ---- distrust ---- */

static void distrusted_copies_are_made_anew(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_auto(Object) snapshot = object_new("snapshots/", 1, 300);
    g_auto(Object) pack = object_new("data/ab/", 2, SIZE);
    g_auto(Object) lost = object_new("data/ab/", 3, SIZE);
    uint8_t part[10];

    put(place->plain, &snapshot);
    put(place->trees, &pack);
    put(place->trees, &lost);
    g_assert_true(store_remove(place->memory, lost.key, NULL));
    assert_parts(place->trees, &lost); // that is what copies are for, but not for all of us
    cache_distrust(place->cache);
    flaky_store_plan(place->far, NULL);
    assert_whole(place->plain, &snapshot);
    assert_parts(place->trees, &pack);
    assert_calls(place, CALL_GET_WHOLE, 2);
    assert_calls(place, CALL_ANY, 2);
    assert_whole(place->plain, &snapshot);
    assert_parts(place->trees, &pack);
    assert_calls(place, CALL_ANY, 2);
    g_assert_false(store_get(place->trees, lost.key, 0, part, sizeof part, NULL));
    g_assert_false(cache_drop_damaged(place->cache, lost.key));
}

/* ---- threads and processes ---- */

typedef struct {
    Store *store;
    pthread_barrier_t *start;
    const Object *objects;
    unsigned n, number;
} Racer;

static void *read_parts(void *user)
{
    const Racer *racer = user;

    pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < 4 * racer->n; i++) {
        const Object *object = &racer->objects[(i * 7 + racer->number) % racer->n];

        assert_part(racer->store, object, racer->number * 1000, 1000);
        if (i % 5 == 0)
            assert_whole(racer->store, object);
    }
    return NULL;
}

/* Even ones use one store, odd ones the other. */
static void race(Store *even, Store *odd, const Object *objects, unsigned n)
{
    pthread_barrier_t start;
    pthread_t threads[RACERS];
    Racer racers[RACERS];

    pthread_barrier_init(&start, NULL, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = (Racer){ i % 2 ? odd : even, &start, objects, n, i };
        g_assert_cmpint(pthread_create(&threads[i], NULL, read_parts, &racers[i]), ==, 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static void one_thread_fetches_for_all(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (uint32_t i = 0; i < 20; i++) {
        g_auto(Object) pack = object_new("data/ab/", i, SIZE);
        pthread_barrier_t start;
        pthread_t threads[RACERS];
        Racer racers[RACERS];

        put(place->memory, &pack);
        flaky_store_plan(place->far, NULL);
        pthread_barrier_init(&start, NULL, RACERS);
        for (unsigned t = 0; t < RACERS; t++) {
            racers[t] = (Racer){ place->trees, &start, &pack, 1, t };
            g_assert_cmpint(pthread_create(&threads[t], NULL, read_parts, &racers[t]), ==, 0);
        }
        for (unsigned t = 0; t < RACERS; t++)
            pthread_join(threads[t], NULL);
        pthread_barrier_destroy(&start);
        assert_parts(place->trees, &pack);
        assert_calls(place, CALL_ANY, 1);
    }
}

static void two_processes_share_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Object objects[24];
    Cache *other;
    Store *trees;

    close_cache(place);
    open_cache(place, 12 * SIZE); // so that copies go while others read them
    other = cache_new(place->dir, 12 * SIZE);
    trees = cache_store_new(place->far, other, tree_prefixes);
    for (uint32_t i = 0; i < G_N_ELEMENTS(objects); i++) {
        objects[i] = object_new("data/ab/", i, SIZE);
        put(place->memory, &objects[i]);
    }
    race(place->trees, trees, objects, G_N_ELEMENTS(objects));
    for (size_t i = 0; i < G_N_ELEMENTS(objects); i++)
        object_clear(&objects[i]);
    store_free(trees);
    cache_free(other);
}

/* ---- the suite ---- */

static Store *make(void **ret_place)
{
    static const char *const prefixes[] = { "", NULL };
    Place *place = g_new0(Place, 1);

    place_set_up(place, NULL);
    *ret_place = place;
    return cache_store_new(place->far, place->cache, prefixes);
}

static void discard(Store *store, void *place)
{
    store_free(store);
    place_tear_down(place, NULL);
    g_free(place);
}

#define ADD(fact)                                                                                  \
    g_test_add("/store/cache/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "cache", .open = make, .close = discard, .n_listed = 3000
    };

    g_test_init(&argc, &argv, NULL);
    store_conformance_add(&maker);
    ADD(what_was_put_is_near);
    ADD(what_was_read_is_near);
    ADD(only_what_belongs_there_is_near);
    ADD(a_put_that_failed_leaves_no_copy);
    ADD(a_large_object_comes_in_pieces);
    ADD(copies_are_private);
    ADD(a_damaged_copy_is_made_anew);
    ADD(a_cut_copy_is_made_anew_for_a_part);
    ADD(the_reader_of_a_part_can_ask);
    ADD(a_damaged_object_has_no_copy);
    ADD(removing_an_object_removes_its_copy);
    ADD(a_listing_without_an_object_removes_its_copy);
    ADD(what_lies_beside_is_left_alone);
    ADD(there_are_never_more_bytes_than_allowed);
    ADD(what_was_not_used_for_longest_goes);
    ADD(what_is_too_large_is_read_by_parts);
    ADD(old_leftovers_are_removed);
    ADD(without_a_directory_everything_is_asked);
    ADD(it_may_be_deleted_at_any_time);
    ADD(what_may_not_be_read_is_asked_for_once);
    ADD(a_failure_to_fetch_is_no_refusal);
    ADD(distrusted_copies_are_made_anew);
    ADD(one_thread_fetches_for_all);
    ADD(two_processes_share_it);
    return g_test_run();
}
