/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index.h"
#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* ---- what an index says, as text ---- */

static bool describe_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                          GError **error)
{
    GString *out = user;

    (void)error;
    g_string_append_printf(out, "%s\n", id_hex(pack).text);
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(out, "  %s %s %u %u %u\n", blob_type_name(blobs[i].type),
                               id_hex(&blobs[i].id).text, blobs[i].offset, blobs[i].length,
                               blobs[i].plain_len);
    return true;
}

static char *describe(const Index *index)
{
    GString *out = g_string_new(NULL);

    g_assert_true(index_each_pack(index, describe_pack, out, NULL));
    return g_string_free(out, false);
}

static Index *load(Repo *repo)
{
    g_autoptr(GError) error = NULL;
    Index *index = NULL;

    (void)index_load(repo, NULL, &index, &error);
    g_assert_no_error(error);
    return index;
}

/* ---- the fixtures ---- */

static int compare_packs(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "id")),
                  json_string_value(json_object_get(*(json_t *const *)b, "id")));
}

static json_int_t number_in(const json_t *blob, const char *member)
{
    return json_integer_value(json_object_get(blob, member)); // 0 when it is not there
}

/* The manifest's packs in the form of describe(). */
static char *describe_manifest(const json_t *manifest)
{
    const json_t *packs = json_object_get(manifest, "packs");
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GString *out = g_string_new(NULL);
    json_t *pack;
    const json_t *blob;
    size_t i, j;

    json_array_foreach(packs, i, pack) g_ptr_array_add(sorted, pack);
    qsort(sorted->pdata, sorted->len, sizeof(gpointer), compare_packs);
    for (i = 0; i < sorted->len; i++) {
        pack = sorted->pdata[i];
        g_string_append_printf(out, "%s\n", json_string_value(json_object_get(pack, "id")));
        json_array_foreach(json_object_get(pack, "blobs"), j, blob) g_string_append_printf(
            out, "  %s %s %d %d %d\n", json_string_value(json_object_get(blob, "type")),
            json_string_value(json_object_get(blob, "id")), (int)number_in(blob, "offset"),
            (int)number_in(blob, "length"), (int)number_in(blob, "uncompressed_length"));
    }
    return g_string_free(out, false);
}

/* The manifest names stray files in index/ too. */
static size_t n_index_objects(const json_t *manifest)
{
    const json_t *name;
    size_t n = 0;
    size_t i;
    Id id;

    json_array_foreach(json_object_get(manifest, "indexes"), i, name) n +=
        id_parse(json_string_value(name), &id);
    return n;
}

static void each_fixture_holds_what_its_manifest_lists(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fixture_names); i++) {
        json_auto_t *manifest = fixture_manifest(fixture_names[i]);
        g_autoptr(Store) store = fixture_store(fixture_names[i]);
        g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
        g_autoptr(Index) index = load(repo);
        g_autofree char *want = describe_manifest(manifest);
        g_autofree char *text = describe(index);

        g_test_message("%s", fixture_names[i]);
        g_assert_cmpstr(text, ==, want);
        g_assert_cmpuint(index_n_packs(index), ==,
                         json_array_size(json_object_get(manifest, "packs")));
        g_assert_cmpuint(index_objects(index)->len, ==, n_index_objects(manifest));
    }
}

static bool pack_is_found(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                          GError **error)
{
    const Index *index = user;

    (void)error;
    for (size_t i = 0; i < n; i++) {
        BlobPlace place;

        g_assert_true(index_find(index, blobs[i].type, &blobs[i].id, &place));
        g_assert_true(id_equal(&place.pack, pack));
        g_assert_cmpuint(place.offset, ==, blobs[i].offset);
        g_assert_cmpuint(place.length, ==, blobs[i].length);
        g_assert_cmpuint(place.plain_len, ==, blobs[i].plain_len);
        g_assert_cmpuint(index_find_all(index, blobs[i].type, &blobs[i].id, NULL, 0), ==, 1);
        g_assert_false(index_find(index, !blobs[i].type, &blobs[i].id, &place));
        g_assert_cmpuint(index_number(index, blobs[i].type, &blobs[i].id), <, index_n_ids(index));
        g_assert_cmpuint(index_number(index, !blobs[i].type, &blobs[i].id), ==, SIZE_MAX);
    }
    return true;
}

static void every_listed_blob_is_found_under_its_type_only(void)
{
    g_autoptr(Store) store = fixture_store("v2-auto");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(Index) index = load(repo);
    Id unknown = { { 1, 2, 3 } };
    BlobPlace place;

    g_assert_cmpuint(index_n_blobs(index), ==, 104);
    g_assert_true(index_each_pack(index, pack_is_found, index, NULL));
    g_assert_false(index_find(index, BLOB_DATA, &unknown, &place));
}

static bool stop_at_second(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                           GError **error)
{
    (void)pack;
    (void)blobs;
    (void)n;
    if (++*(unsigned *)user < 2)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    return false;
}

static void whoever_walks_the_packs_can_stop(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(Index) index = load(repo);
    g_autoptr(GError) error = NULL;
    unsigned calls = 0;

    g_assert_false(index_each_pack(index, stop_at_second, &calls, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpuint(calls, ==, 2);
}

/* ---- a repository of our own, with and without a cache ---- */

typedef struct {
    Store *memory, *store; // the second counts the calls
    char *cache_dir;
    Repo *repo, *uncached;
} Fixture;

static Repo *open_cached(Store *store, const char *cache_dir)
{
    RepoOptions options = { .cache_dir = cache_dir };
    g_autoptr(GError) error = NULL;
    Repo *repo = fixture_open_with(store, FIXTURE_PASSWORD, &options, &error);

    g_assert_no_error(error);
    return repo;
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    fixture->memory = memory_store_new();
    fixture->store = flaky_store_new(fixture->memory);
    fixture->cache_dir = tempdir_new();
    fixture->uncached = quick_repo(fixture->memory);
    fixture->repo = open_cached(fixture->store, fixture->cache_dir);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    repo_close(fixture->repo);
    repo_close(fixture->uncached);
    store_free(fixture->store);
    store_free(fixture->memory);
    tempdir_remove(fixture->cache_dir);
}

static Id id_of(unsigned kind, unsigned number)
{
    Id id = { { (uint8_t)(number * 37), (uint8_t)kind, (uint8_t)number } };

    return id;
}

enum { PACK, BLOB };

/* An index object with one pack of three blobs: the first is also in every other pack. */
static Id save_index(Repo *repo, unsigned number)
{
    Id pack = id_of(PACK, number);
    PackBlob blobs[] = {
        { id_of(BLOB, 0), BLOB_DATA, 0, 40, 0 },
        { id_of(BLOB, number), BLOB_DATA, 40, 50, 90 },
        { id_of(BLOB, number), BLOB_TREE, 90, 60, 0 },
    };
    IndexText *text = index_text_new();
    const char *json;
    size_t len;
    Id id;

    index_text_add(text, &pack, blobs, G_N_ELEMENTS(blobs));
    json = index_text_finish(text, &len);
    g_assert_true(repo_save(repo, FILE_INDEX, json, len, &id, NULL));
    index_text_free(text);
    return id;
}

/* How many index objects loading brings from the store; what it says is the same as without a
 * cache. */
static unsigned n_fetched(Fixture *fixture)
{
    const FlakyPlan plan = { .call = CALL_GET_WHOLE };
    g_autoptr(Index) index = NULL;
    g_autoptr(Index) uncached = load(fixture->uncached);
    g_autofree char *text = NULL;
    g_autofree char *want = describe(uncached);

    flaky_store_plan(fixture->store, &plan);
    index = load(fixture->repo);
    text = describe(index);
    g_assert_cmpstr(text, ==, want);
    g_assert_cmpmem(index_objects(index)->data, index_objects(index)->len * sizeof(Id),
                    index_objects(uncached)->data, index_objects(uncached)->len * sizeof(Id));
    return flaky_store_calls(fixture->store, CALL_GET_WHOLE);
}

static void an_empty_repository_has_an_empty_index(Fixture *fixture, gconstpointer unused)
{
    Id id = id_of(BLOB, 1);

    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(Index) index = load(fixture->repo);

        g_assert_cmpuint(index_n_blobs(index), ==, 0);
        g_assert_cmpuint(index_n_packs(index), ==, 0);
        g_assert_cmpuint(index_objects(index)->len, ==, 0);
        g_assert_cmpuint(index_number(index, BLOB_DATA, &id), ==, SIZE_MAX);
        g_assert_true(index_claim(index, BLOB_DATA, &id));
    }
}

static void only_new_index_objects_are_fetched(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    for (unsigned i = 1; i <= 3; i++)
        save_index(fixture->uncached, i);
    g_assert_cmpuint(n_fetched(fixture), ==, 3);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
    save_index(fixture->uncached, 4);
    save_index(fixture->uncached, 5);
    g_assert_cmpuint(n_fetched(fixture), ==, 2);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

static void when_one_is_gone_all_are_read_anew(Fixture *fixture, gconstpointer unused)
{
    Id gone;

    (void)unused;
    save_index(fixture->uncached, 1);
    gone = save_index(fixture->uncached, 2);
    save_index(fixture->uncached, 3);
    g_assert_cmpuint(n_fetched(fixture), ==, 3);
    g_assert_true(repo_remove(fixture->uncached, FILE_INDEX, &gone, NULL));
    g_assert_cmpuint(n_fetched(fixture), ==, 2);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

static void many_small_ones_are_fetched_by_several_threads(Fixture *fixture, gconstpointer unused)
{
    (void)unused;
    for (unsigned i = 1; i <= 200; i++)
        save_index(fixture->uncached, i);
    g_assert_cmpuint(n_fetched(fixture), ==, 200);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

static char *cache_path(const Fixture *fixture)
{
    return g_build_filename(fixture->cache_dir, repo_id(fixture->repo), "index.v1", NULL);
}

static void the_cache_is_for_its_owner_and_marked_as_one(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = cache_path(fixture);
    g_autofree char *dir = g_path_get_dirname(file);
    g_autofree char *tag = g_build_filename(fixture->cache_dir, "CACHEDIR.TAG", NULL);
    g_autofree char *text = NULL;
    struct stat stat;

    (void)unused;
    save_index(fixture->uncached, 1);
    n_fetched(fixture);
    g_assert_cmpint(lstat(dir, &stat), ==, 0);
    g_assert_cmpuint(stat.st_mode, ==, S_IFDIR | 0700);
    g_assert_cmpint(lstat(file, &stat), ==, 0);
    g_assert_cmpuint(stat.st_mode, ==, S_IFREG | 0600);
    g_assert_true(g_file_get_contents(tag, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(text, "Signature: 8a477f597d28d172789f06886806bc55\n"));
    g_assert_cmpuint(tempdir_n_files(fixture->cache_dir), ==, 2);
}

static void a_flipped_byte_in_the_cache_changes_no_answer(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = cache_path(fixture);
    g_autofree char *good = NULL;
    gsize len;

    (void)unused;
    save_index(fixture->uncached, 1);
    n_fetched(fixture);
    g_assert_true(g_file_get_contents(file, &good, &len, NULL));
    for (gsize at = 0; at < len; at++) {
        good[at] ^= (char)(1 << at % 8);
        g_assert_true(g_file_set_contents(file, good, (gssize)len, NULL));
        good[at] ^= (char)(1 << at % 8);
        g_assert_cmpuint(n_fetched(fixture), ==, 1);
    }
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

static void a_broken_cache_is_as_if_there_were_none(Fixture *fixture, gconstpointer unused)
{
    static const char *const contents[] = { "", "x",
                                            "no index at all, but longer than a trailer is; "
                                            "it goes on for a hundred bytes or so and ends here" };
    g_autofree char *file = cache_path(fixture);

    (void)unused;
    save_index(fixture->uncached, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(contents); i++) {
        n_fetched(fixture);
        g_assert_true(g_file_set_contents(file, contents[i], -1, NULL));
        g_assert_cmpuint(n_fetched(fixture), ==, 1);
        g_assert_cmpuint(n_fetched(fixture), ==, 0);
    }
    g_assert_cmpint(unlink(file), ==, 0);
    g_assert_cmpint(mkdir(file, 0700), ==, 0);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
    g_assert_cmpuint(tempdir_n_files(fixture->cache_dir), ==,
                     1); // the tag: nothing is left lying about
}

static void a_cache_from_another_key_is_none(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(Store) other_store = memory_store_new();
    g_autoptr(Repo) uncached = quick_repo(other_store);
    g_autoptr(Repo) other = open_cached(other_store, fixture->cache_dir);
    g_autofree char *file = cache_path(fixture);
    g_autofree char *other_file =
        g_build_filename(fixture->cache_dir, repo_id(other), "index.v1", NULL);
    g_autoptr(Index) index = NULL;

    (void)unused;
    n_fetched(fixture);
    index = load(other);
    g_assert_cmpint(rename(other_file, file), ==, 0);
    save_index(fixture->uncached, 1);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
}

static void without_room_for_the_cache_it_works_in_memory(Fixture *fixture, gconstpointer unused)
{
    struct rlimit before;
    struct rlimit none;

    (void)unused;
    save_index(fixture->uncached, 1);
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
    none = (struct rlimit){ 64, before.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &none), ==, 0);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
    g_assert_cmpuint(tempdir_n_files(fixture->cache_dir), ==, 1);
    g_assert_cmpuint(n_fetched(fixture), ==, 1);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

static void without_a_cache_directory_it_works_in_memory(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = g_build_filename(fixture->cache_dir, "file", NULL);
    g_autofree char *below = g_build_filename(file, "cache", NULL);
    g_autoptr(Repo) repo = NULL;
    g_autoptr(Index) index = NULL;

    (void)unused;
    tempdir_write(fixture->cache_dir, "file", "", 0);
    repo = open_cached(fixture->memory, below);
    save_index(fixture->uncached, 1);
    index = load(repo);
    g_assert_cmpuint(index_n_blobs(index), ==, 3);
}

static void old_leftovers_are_swept(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = cache_path(fixture);
    g_autofree char *old = g_strconcat(file, "-tmp-old", NULL);
    g_autofree char *young = g_strconcat(file, "-tmp-young", NULL);
    const struct timespec yesterday[2] = { { time(NULL) - 25 * 3600, 0 },
                                           { time(NULL) - 25 * 3600, 0 } };

    (void)unused;
    n_fetched(fixture);
    g_assert_true(g_file_set_contents(old, "", 0, NULL));
    g_assert_true(g_file_set_contents(young, "", 0, NULL));
    g_assert_cmpint(utimensat(AT_FDCWD, old, yesterday, 0), ==, 0);
    save_index(fixture->uncached, 1);
    n_fetched(fixture);
    g_assert_false(g_file_test(old, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(young, G_FILE_TEST_EXISTS));
}

/* ---- faults ---- */

/* Puts other bytes in the place of an object. */
static void damage(Fixture *fixture, const Id *object)
{
    FileKey key = file_key(FILE_INDEX, object);

    g_assert_true(store_remove(fixture->memory, key.text, NULL));
    g_assert_true(store_put(fixture->memory, key.text, "damaged", 7, true, NULL));
}

static void a_damaged_index_object_is_named_with_the_way_out(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    Index *index = NULL;
    Id damaged;

    (void)unused;
    save_index(fixture->uncached, 1);
    damaged = save_index(fixture->uncached, 2);
    damage(fixture, &damaged);
    g_assert_false(index_load(fixture->repo, NULL, &index, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, id_hex(&damaged).text));
    g_assert_true(g_str_has_suffix(error->message, "; run `backstay repair index`"));
}

static void an_index_object_that_is_no_index_is_damaged(Fixture *fixture, gconstpointer unused)
{
    const char *text = "{\"packs\":[{\"blobs\":[]}]}\n";
    g_autoptr(GError) error = NULL;
    Index *index = NULL;
    Id id;

    (void)unused;
    g_assert_true(repo_save(fixture->uncached, FILE_INDEX, text, strlen(text), &id, NULL));
    g_assert_false(index_load(fixture->repo, NULL, &index, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, id_hex(&id).text));
    g_assert_true(g_str_has_suffix(error->message, "; run `backstay repair index`"));
}

typedef struct {
    GArray *objects; // of Id
    bool go_on;
} Bad;

static bool note_bad(const Id *object, const GError *problem, void *user)
{
    Bad *bad = user;

    g_assert_error(problem, BS_ERROR, BS_ERROR_CORRUPT);
    g_array_append_vals(bad->objects, object, 1);
    return bad->go_on;
}

static void check_can_go_on_after_damaged_ones(Fixture *fixture, gconstpointer unused)
{
    Bad bad = { g_array_new(false, false, sizeof(Id)), true };
    g_autoptr(GArray) objects = bad.objects;
    g_autoptr(Index) index = NULL;
    g_autoptr(GError) error = NULL;
    Id ids[5];

    (void)unused;
    for (unsigned i = 0; i < 5; i++)
        ids[i] = save_index(fixture->uncached, i + 1);
    n_fetched(fixture); // a cache that knows all of them is not asked
    damage(fixture, &ids[1]);
    damage(fixture, &ids[3]);
    g_assert_true(index_load_full(fixture->repo, note_bad, &bad, NULL, &index, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(objects->len, ==, 2);
    g_assert_cmpint(id_compare(&g_array_index(objects, Id, 0), &g_array_index(objects, Id, 1)), <,
                    0);
    for (unsigned i = 0; i < 2; i++)
        g_assert_true(id_equal(&g_array_index(objects, Id, i), &ids[1]) ||
                      id_equal(&g_array_index(objects, Id, i), &ids[3]));
    g_assert_cmpuint(index_n_packs(index), ==, 3);
    g_assert_cmpuint(index_objects(index)->len, ==, 3);
}

static void check_can_give_up_at_a_damaged_one(Fixture *fixture, gconstpointer unused)
{
    Bad bad = { g_array_new(false, false, sizeof(Id)), false };
    g_autoptr(GArray) objects = bad.objects;
    g_autoptr(GError) error = NULL;
    Index *index = NULL;
    Id id = save_index(fixture->uncached, 1);

    (void)unused;
    damage(fixture, &id);
    g_assert_false(index_load_full(fixture->repo, note_bad, &bad, NULL, &index, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void a_store_that_fails_is_no_damage(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *label;
        FlakyPlan plan;
    } cases[] = {
        { "the list", { .call = CALL_LIST, .at = 1, .code = BS_ERROR_TRANSIENT } },
        { "the first object", { .call = CALL_GET_WHOLE, .at = 1, .code = BS_ERROR_TRANSIENT } },
        { "the last object", { .call = CALL_GET_WHOLE, .at = 5, .code = BS_ERROR_DENIED } },
        { "all objects", { .call = CALL_GET_WHOLE, .at = 1, .n = 0, .code = BS_ERROR_TRANSIENT } },
    };
    Bad bad = { g_array_new(false, false, sizeof(Id)), true };
    g_autoptr(GArray) objects = bad.objects;

    (void)unused;
    for (unsigned i = 1; i <= 5; i++)
        save_index(fixture->uncached, i);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GError) full_error = NULL;
        Index *index = NULL;

        g_test_message("%s", cases[i].label);
        flaky_store_plan(fixture->store, &cases[i].plan);
        g_assert_false(index_load(fixture->repo, NULL, &index, &error));
        g_assert_error(error, BS_ERROR, cases[i].plan.code);
        flaky_store_plan(fixture->store, &cases[i].plan);
        g_assert_false(index_load_full(fixture->repo, note_bad, &bad, NULL, &index, &full_error));
        g_assert_error(full_error, BS_ERROR, cases[i].plan.code);
    }
    flaky_store_plan(fixture->store, NULL);
    g_assert_cmpuint(objects->len, ==, 0);
    g_assert_cmpuint(n_fetched(fixture), ==, 5); // nothing half-read went into the cache
}

/* A server that leaves out half of a listing makes blobs unfindable; they must be found next time.
 */
static void what_a_listing_left_out_comes_back(Fixture *fixture, gconstpointer unused)
{
    const FlakyPlan plan = { .call = CALL_LIST, .at = 1, .n = 1, .how = FLAKY_CUT };
    g_autoptr(Index) half = NULL;

    (void)unused;
    for (unsigned i = 1; i <= 6; i++)
        save_index(fixture->uncached, i);
    n_fetched(fixture);
    flaky_store_plan(fixture->store, &plan);
    half = load(fixture->repo);
    g_assert_cmpuint(index_n_packs(half), ==, 3);
    g_assert_cmpuint(n_fetched(fixture), ==, 3);
}

static void loading_can_be_cancelled(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    Index *index = NULL;

    (void)unused;
    save_index(fixture->uncached, 1);
    cancel_set(cancel);
    g_assert_false(index_load(fixture->repo, cancel, &index, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
}

/* ---- what a run adds ---- */

static void a_blob_is_claimed_once_unless_the_repository_has_it(Fixture *fixture,
                                                                gconstpointer unused)
{
    g_autoptr(Index) index = NULL;
    Id known = id_of(BLOB, 1);
    Id unknown = id_of(BLOB, 2);

    (void)unused;
    save_index(fixture->uncached, 1);
    index = load(fixture->repo);
    g_assert_false(index_claim(index, BLOB_DATA, &known));
    g_assert_true(index_claim(index, BLOB_DATA, &unknown));
    g_assert_false(index_claim(index, BLOB_DATA, &unknown));
    g_assert_true(index_claim(index, BLOB_TREE, &unknown));
}

static void what_is_added_is_found_beside_what_was_loaded(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(Index) index = NULL;
    Id known = id_of(BLOB, 0);
    Id fresh = id_of(BLOB, 9);
    Id pack = id_of(PACK, 9);
    const PackBlob blobs[] = { { known, BLOB_DATA, 0, 77, 0 }, { fresh, BLOB_DATA, 77, 88, 99 } };
    BlobPlace places[4];

    (void)unused;
    save_index(fixture->uncached, 1);
    save_index(fixture->uncached, 2);
    index = load(fixture->repo);
    g_assert_cmpuint(index_find_all(index, BLOB_DATA, &known, places, 4), ==, 2);
    g_assert_true(index_claim(index, BLOB_DATA, &fresh));
    g_assert_false(index_find(index, BLOB_DATA, &fresh, places));
    index_add(index, &pack, blobs, 2);
    g_assert_true(index_find(index, BLOB_DATA, &fresh, places));
    g_assert_true(id_equal(&places[0].pack, &pack));
    g_assert_cmpuint(places[0].offset, ==, 77);
    g_assert_cmpuint(index_find_all(index, BLOB_DATA, &known, places, 4), ==, 3);
    g_assert_true(id_equal(&places[2].pack, &pack));
    g_assert_cmpuint(index_find_all(index, BLOB_DATA, &known, places, 1), ==, 3);
    g_assert_cmpuint(index_n_blobs(index), ==, 6);
    g_assert_cmpuint(index_number(index, BLOB_DATA, &fresh), ==, SIZE_MAX);
}

static void every_blob_has_a_number_of_its_own(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(Index) index = NULL;
    g_autofree bool *taken = NULL;

    (void)unused;
    for (unsigned i = 1; i <= 20; i++)
        save_index(fixture->uncached, i);
    index = load(fixture->repo);
    taken = g_new0(bool, index_n_ids(index));
    for (unsigned i = 0; i <= 20; i++)
        for (BlobType type = BLOB_DATA; type <= BLOB_TREE; type++) {
            Id id = id_of(BLOB, i);
            size_t number = index_number(index, type, &id);

            if (i == 0 && type == BLOB_TREE) {
                g_assert_cmpuint(number, ==, SIZE_MAX);
                continue;
            }
            g_assert_cmpuint(number, <, index_n_ids(index));
            g_assert_false(taken[number]);
            taken[number] = true;
        }
}

static void *load_again_and_again(void *repo)
{
    for (unsigned i = 0; i < 50; i++) {
        g_autoptr(Index) index = load(repo);
        g_autofree char *text = describe(index);

        g_assert_true(strlen(text) > 0);
    }
    return NULL;
}

static void several_processes_may_rebuild_the_cache_at_once(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = cache_path(fixture);
    pthread_t threads[3];
    Repo *repos[3];

    (void)unused;
    save_index(fixture->uncached, 1);
    for (unsigned i = 0; i < 3; i++) {
        repos[i] = open_cached(fixture->memory, fixture->cache_dir);
        g_assert_cmpint(pthread_create(&threads[i], NULL, load_again_and_again, repos[i]), ==, 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        if (i % 10 == 0)
            save_index(fixture->uncached, i + 2);
        (void)unlink(file);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        repo_close(repos[i]);
    }
    n_fetched(fixture);
    g_assert_cmpuint(n_fetched(fixture), ==, 0);
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index/fixtures", each_fixture_holds_what_its_manifest_lists);
    g_test_add_func("/index/find", every_listed_blob_is_found_under_its_type_only);
    g_test_add_func("/index/stop", whoever_walks_the_packs_can_stop);
    ADD("/index/empty", an_empty_repository_has_an_empty_index);
    ADD("/index/new_objects", only_new_index_objects_are_fetched);
    ADD("/index/gone", when_one_is_gone_all_are_read_anew);
    ADD("/index/many", many_small_ones_are_fetched_by_several_threads);
    ADD("/index/cache/modes", the_cache_is_for_its_owner_and_marked_as_one);
    ADD("/index/cache/flipped", a_flipped_byte_in_the_cache_changes_no_answer);
    ADD("/index/cache/broken", a_broken_cache_is_as_if_there_were_none);
    ADD("/index/cache/key", a_cache_from_another_key_is_none);
    ADD("/index/cache/full", without_room_for_the_cache_it_works_in_memory);
    ADD("/index/cache/none", without_a_cache_directory_it_works_in_memory);
    ADD("/index/cache/leftovers", old_leftovers_are_swept);
    ADD("/index/cache/several", several_processes_may_rebuild_the_cache_at_once);
    ADD("/index/damaged", a_damaged_index_object_is_named_with_the_way_out);
    ADD("/index/no_index", an_index_object_that_is_no_index_is_damaged);
    ADD("/index/full", check_can_go_on_after_damaged_ones);
    ADD("/index/give_up", check_can_give_up_at_a_damaged_one);
    ADD("/index/store", a_store_that_fails_is_no_damage);
    ADD("/index/half_a_list", what_a_listing_left_out_comes_back);
    ADD("/index/cancel", loading_can_be_cancelled);
    ADD("/index/claim", a_blob_is_claimed_once_unless_the_repository_has_it);
    ADD("/index/add", what_is_added_is_found_beside_what_was_loaded);
    ADD("/index/number", every_blob_has_a_number_of_its_own);
    return g_test_run();
}
