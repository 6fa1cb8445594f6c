/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/stores.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "repo/blob.h"
#include "repo/check.h"
#include "repo/packer.h"
#include "repo/snapshot.h"

#define CACHE_BYTES (64u * 1024 * 1024)
#define N_TREES     40

/* ---- restic's repository in a store that is far away, and a cache ---- */

typedef struct {
    Store *memory;
    Store *far; /* the same; counts */
    char *cache_dir;
    RepoOptions options;
    Repo *repo;
    BlobOpener *opener;
} Place;

static void open_repo(Place *place)
{
    g_autoptr(GError) error = NULL;

    place->repo = fixture_open_with(place->far, FIXTURE_PASSWORD, &place->options, &error);
    g_assert_no_error(error);
    place->opener = blob_opener_new(place->repo);
    g_assert_true(repo_load_index(place->repo, NULL, NULL));
    flaky_store_plan(place->far, NULL);
}

static void close_repo(Place *place)
{
    blob_opener_free(place->opener);
    repo_close(place->repo);
}

/* What the next run finds. */
static void open_anew(Place *place)
{
    close_repo(place);
    open_repo(place);
}

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->memory = fixture_store("v2-auto");
    place->memory->far = true;
    place->far = flaky_store_new(place->memory);
    place->cache_dir = tempdir_new();
    place->options = (RepoOptions){ .cache_dir = place->cache_dir, .cache_bytes = CACHE_BYTES };
    open_repo(place);
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    close_repo(place);
    store_free(place->far);
    store_free(place->memory);
    tempdir_remove(place->cache_dir);
}

/* ---- reading everything of a kind ---- */

typedef struct {
    Place *place;
    BlobType type;
    unsigned n, damaged;
    GHashTable *packs; /* set of keys that hold such blobs */
} Reading;

static bool read_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Reading *reading = user;

    (void)error;
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GBytes) plain = NULL;

        if (blobs[i].type != reading->type)
            continue;
        reading->n++;
        reading->damaged += !blob_load(reading->place->repo, reading->place->opener, reading->type,
                                       &blobs[i].id, &plain, NULL);
        g_hash_table_add(reading->packs, g_strdup(file_key(FILE_PACK, pack).text));
    }
    return true;
}

/* How many were damaged. ret_packs may be NULL. */
static unsigned read_all(Place *place, BlobType type, GHashTable **ret_packs)
{
    Reading reading = { .place = place, .type = type };

    reading.packs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_assert_true(index_each_pack(repo_index(place->repo), read_pack, &reading, NULL));
    g_assert_cmpuint(reading.n, >, 3);
    if (ret_packs)
        *ret_packs = reading.packs;
    else
        g_hash_table_unref(reading.packs);
    return reading.damaged;
}

static unsigned n_calls(const Place *place)
{
    return flaky_store_calls(place->far, CALL_ANY);
}

static char *dir_of(const Place *place)
{
    return g_build_filename(place->cache_dir, repo_id(place->repo), NULL);
}

static unsigned n_copies(const Place *place, const char *below)
{
    g_autofree char *dir = g_build_filename(place->cache_dir, repo_id(place->repo), below, NULL);

    return tempdir_n_files(dir);
}

/* One byte in the middle. */
static void damage_file(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *bytes = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    bytes[len / 4] ^= 1;
    g_assert_cmpint(unlink(path), ==, 0);
    tempdir_write(dir, name, bytes, len);
}

static void damage_object(Store *store, const char *key)
{
    g_autoptr(GBytes) data = NULL;
    g_autofree char *bytes = NULL;
    gsize len;

    g_assert_true(store_get_whole(store, key, 1 << 24, &data, NULL));
    bytes = g_memdup2(g_bytes_get_data(data, &len), g_bytes_get_size(data));
    bytes[len / 4] ^= 1;
    g_assert_true(store_put(store, key, bytes, len, false, NULL));
}

static void damage_copies(const Place *place, GHashTable *keys)
{
    g_autofree char *dir = dir_of(place);
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        damage_file(dir, key);
}

static void damage_objects(const Place *place, GHashTable *keys)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, keys);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        damage_object(place->memory, key);
}

/* ---- what is near ---- */

static void trees_are_read_from_afar_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) packs = NULL;

    g_assert_cmpuint(read_all(place, BLOB_TREE, &packs), ==, 0);
    g_assert_cmpuint(n_calls(place), ==, g_hash_table_size(packs));
    g_assert_cmpuint(n_copies(place, "data"), ==, g_hash_table_size(packs));
    open_anew(place);
    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0);
    g_assert_cmpuint(n_calls(place), ==, 0);
}

static void content_is_always_read_from_afar(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (unsigned round = 0; round < 2; round++) {
        flaky_store_plan(place->far, NULL);
        g_assert_cmpuint(read_all(place, BLOB_DATA, NULL), ==, 0);
        g_assert_cmpuint(n_calls(place), >, 3);
        g_assert_cmpuint(n_copies(place, "data"), ==, 0);
    }
}

static void snapshots_and_index_are_read_from_afar_once(Place *place,
                                                        G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *image =
        g_build_filename(place->cache_dir, repo_id(place->repo), "index.v1", NULL);

    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(GPtrArray) snapshots = NULL;

        g_assert_true(snapshot_list(place->repo, NULL, NULL, &snapshots, NULL));
        g_assert_cmpuint(flaky_store_calls(place->far, CALL_GET_WHOLE), ==,
                         round == 0 ? snapshots->len : 0);
        g_assert_cmpuint(n_copies(place, "snapshots"), ==, snapshots->len);
        g_assert_cmpint(unlink(image), ==, 0);
        flaky_store_plan(place->far, NULL);
        g_assert_true(repo_load_index(place->repo, NULL, NULL));
        g_assert_cmpuint(flaky_store_calls(place->far, CALL_GET_WHOLE), ==, 0);
        g_assert_cmpuint(n_copies(place, "index"), >, 0);
        open_anew(place);
    }
}

static void what_was_written_is_near(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    Packer *packer = packer_new(place->repo, &(PackerOptions){ 0 }, NULL);
    g_autoptr(GBytes) plain = NULL;
    Id trees[N_TREES], content;

    for (unsigned i = 0; i < N_TREES; i++) {
        g_autofree char *text = g_strdup_printf("{\"nodes\":[],\"n\":%u}\n", i);

        g_assert_true(packer_store(packer, BLOB_TREE, text, strlen(text), &trees[i], NULL));
    }
    g_assert_true(packer_store(packer, BLOB_DATA, "content", 7, &content, NULL));
    g_assert_true(packer_finish(packer, NULL));
    packer_free(packer);
    g_assert_cmpuint(n_copies(place, "data"), ==, 1);
    open_anew(place);
    for (unsigned i = 0; i < N_TREES; i++) {
        g_autoptr(GBytes) tree = NULL;

        g_assert_true(blob_load(place->repo, place->opener, BLOB_TREE, &trees[i], &tree, NULL));
    }
    g_assert_cmpuint(n_calls(place), ==, 0);
    g_assert_true(blob_load(place->repo, place->opener, BLOB_DATA, &content, &plain, NULL));
    g_assert_cmpuint(n_calls(place), ==, 1);
}

static void removed_packs_are_not_near(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GArray) files = NULL;

    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0);
    g_assert_true(repo_list(place->repo, FILE_PACK, &files, NULL, NULL));
    g_assert_cmpuint(n_copies(place, "data"), >, 0);
    for (guint i = 0; i < files->len; i++)
        g_assert_true(
            repo_remove(place->repo, FILE_PACK, &g_array_index(files, FileInfo, i).id, NULL));
    g_assert_cmpuint(n_copies(place, "data"), ==, 0);
}

static void without_need_there_are_no_copies(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *label;
        bool far, dir, bytes;
        unsigned n_files;
    } cases[] = {
        { "a store that is near", false, true, true, 2 }, // index.v1, CACHEDIR.TAG
        { "no bytes", true, true, false, 2 },
        { "no directory", true, false, true, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *dir = tempdir_new();

        g_test_message("%s", cases[i].label);
        place->far->far = cases[i].far;
        place->options.cache_dir = cases[i].dir ? dir : NULL;
        place->options.cache_bytes = cases[i].bytes ? CACHE_BYTES : 0;
        open_anew(place);
        g_assert_true(repo_tree_store(place->repo) == repo_store(place->repo));
        g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0);
        g_assert_cmpuint(tempdir_n_files(dir), ==, cases[i].n_files);
        tempdir_remove(dir);
    }
}

/* ---- damage ---- */

static void a_damaged_copy_is_no_damage(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) packs = NULL;

    g_assert_cmpuint(read_all(place, BLOB_TREE, &packs), ==, 0);
    damage_copies(place, packs);
    open_anew(place);
    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0);
    g_assert_cmpuint(n_calls(place), ==, g_hash_table_size(packs));
    open_anew(place);
    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0);
    g_assert_cmpuint(n_calls(place), ==, 0);
}

static void a_damaged_pack_is_damage(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) packs = NULL;

    read_all(place, BLOB_TREE, &packs);
    open_anew(place);
    damage_objects(place, packs);
    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), ==, 0); // the copies are good
    damage_copies(place, packs);
    g_assert_cmpuint(read_all(place, BLOB_TREE, NULL), >, 0);
    g_assert_cmpuint(n_copies(place, "data"), ==, 0);
}

static void ignore(G_GNUC_UNUSED const Finding *finding, G_GNUC_UNUSED void *user)
{
}

static void ignore_lost(G_GNUC_UNUSED const Id *snapshot, G_GNUC_UNUSED const char *path,
                        G_GNUC_UNUSED void *user)
{
}

static uint64_t n_errors(Place *place)
{
    CheckWatch watch = { .found = ignore, .lost = ignore_lost };
    CheckResult result = { 0 };
    g_autoptr(GError) error = NULL;

    check_run(place->repo, &(CheckOptions){ 0 }, &watch, NULL, &result, &error);
    g_assert_no_error(error);
    return result.errors;
}

static void a_check_sees_what_the_store_holds(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const FileType types[] = { FILE_SNAPSHOT, FILE_INDEX, FILE_PACK };
    g_autoptr(GHashTable) packs = NULL;

    read_all(place, BLOB_TREE, &packs);
    g_assert_cmpuint(n_errors(place), ==, 0); // and now there are copies of everything
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autoptr(GArray) files = NULL;
        g_autoptr(GBytes) before = NULL;
        FileKey key;

        g_assert_true(repo_list(place->repo, types[i], &files, NULL, NULL));
        for (guint n = 0; n < files->len; n++) {
            key = file_key(types[i], &g_array_index(files, FileInfo, n).id);
            if (types[i] != FILE_PACK || g_hash_table_contains(packs, key.text))
                break;
        }
        g_test_message("%s", key.text);
        g_assert_true(store_get_whole(place->memory, key.text, 1 << 24, &before, NULL));
        damage_object(place->memory, key.text);
        open_anew(place);
        g_assert_cmpuint(n_errors(place), >, 0);
        g_assert_true(store_put(place->memory, key.text, g_bytes_get_data(before, NULL),
                                g_bytes_get_size(before), false, NULL));
        open_anew(place);
        g_assert_cmpuint(n_errors(place), ==, 0);
    }
}

static void a_check_reads_packs_of_trees_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) packs = NULL;

    read_all(place, BLOB_TREE, &packs);
    flaky_store_plan(place->far, NULL);
    g_assert_cmpuint(n_errors(place), ==, 0);
    g_assert_cmpuint(flaky_store_calls(place->far, CALL_GET), ==, 0);
    g_assert_cmpuint(flaky_store_calls(place->far, CALL_GET_WHOLE), >=, g_hash_table_size(packs));
}

#define ADD(fact)                                                                                  \
    g_test_add("/repo/stores/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(trees_are_read_from_afar_once);
    ADD(content_is_always_read_from_afar);
    ADD(snapshots_and_index_are_read_from_afar_once);
    ADD(what_was_written_is_near);
    ADD(removed_packs_are_not_near);
    ADD(without_need_there_are_no_copies);
    ADD(a_damaged_copy_is_no_damage);
    ADD(a_damaged_pack_is_damage);
    ADD(a_check_sees_what_the_store_holds);
    ADD(a_check_reads_packs_of_trees_once);
    return g_test_run();
}
