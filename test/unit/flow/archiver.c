/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/archiver.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "repo/blob.h"
#include "repo/snapshot.h"
#include <pthread.h>

#define MIB (1024u * 1024)

/* ---- one archiver at work ---- */

typedef struct {
    Store *store;
    Repo *repo;
    Archiver *archiver;
    Sink *sink;
} Road;

static void road_reload(Road *road)
{
    g_autoptr(GError) error = NULL;

    repo_load_index(road->repo, NULL, &error);
    g_assert_no_error(error);
}

static void road_open(Road *road)
{
    road->store = memory_store_new();
    road->repo = quick_repo(road->store);
}

static void road_begin(Road *road, const Snapshot *parent)
{
    ArchiverOptions options = { .parent = parent, .workers = 3 };

    road_reload(road);
    road->archiver = archiver_new(road->repo, snapshot_new(), &options, NULL);
    road->sink = archiver_sink(road->archiver);
}

static Snapshot *road_finish(Road *road)
{
    g_autoptr(GError) error = NULL;
    bool saved;
    Snapshot *snapshot;

    sink_finish(road->sink, &error);
    g_assert_no_error(error);
    snapshot = archiver_take_snapshot(road->archiver, &saved);
    g_assert_true(saved);
    g_clear_pointer(&road->archiver, archiver_free);
    road_reload(road);
    return snapshot;
}

static void road_close(Road *road)
{
    archiver_free(road->archiver);
    repo_close(road->repo);
    store_free(road->store);
}

/* ---- entries ---- */

static Node *file_node(const char *name, uint64_t size)
{
    Node *node = node_new();

    node->name = g_strdup(name);
    node->mode = S_IFREG | 0644;
    node->size = size;
    node->links = 1;
    node->inode = g_str_hash(name);
    node->mtime = node->atime = node->ctime = (Timestamp){ .sec = 1700000000 };
    return node;
}

static void *begin_entry(Road *road, const Node *node, size_t cut)
{
    g_autofree char *path = g_strconcat("/", node->name, NULL);
    Entry entry = { .path = path, .node = node, .cut = cut };
    g_autoptr(GError) error = NULL;
    void *handle = NULL;

    sink_begin(road->sink, &entry, &handle, &error);
    g_assert_no_error(error);
    return handle;
}

static void write_at(Road *road, void *handle, uint64_t offset, const void *data, size_t len)
{
    g_autoptr(GError) error = NULL;

    sink_write(road->sink, handle, offset, data, len, &error);
    g_assert_no_error(error);
}

static void end_entry(Road *road, void *handle, const Node *node)
{
    g_autoptr(GError) error = NULL;

    sink_end(road->sink, handle, node, &error);
    g_assert_no_error(error);
}

static void *begin_dir(Road *road, const char *name)
{
    g_autoptr(Node) node = file_node(name, 0);

    node->mode = S_IFDIR | 0755;
    return begin_entry(road, node, 0);
}

/* The same bytes for the same seed. */
static uint8_t *noise(size_t len, uint32_t seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    uint8_t *data = g_malloc(len);

    for (size_t i = 0; i + 4 <= len; i += 4) {
        uint32_t word = g_rand_int(rand);

        memcpy(data + i, &word, 4);
    }
    for (size_t i = len & ~(size_t)3; i < len; i++)
        data[i] = (uint8_t)seed;
    return data;
}

static void put_file(Road *road, const char *name, const uint8_t *data, size_t len)
{
    g_autoptr(Node) node = file_node(name, len);
    void *handle = begin_entry(road, node, 0);

    if (len > 0)
        write_at(road, handle, 0, data, len);
    end_entry(road, handle, NULL);
}

/* ---- what came of it ---- */

static Tree *load_tree(Road *road, const Id *id)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(road->repo);
    g_autoptr(GBytes) text = NULL;
    g_autoptr(GError) error = NULL;
    Tree *tree = NULL;

    blob_load(road->repo, opener, BLOB_TREE, id, &text, &error);
    g_assert_no_error(error);
    tree_decode(g_bytes_get_data(text, NULL), g_bytes_get_size(text), &tree, &error);
    g_assert_no_error(error);
    return tree;
}

static GByteArray *load_content(Road *road, const Node *node)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(road->repo);
    GByteArray *all = g_byte_array_new();

    for (guint i = 0; i < node->content->len; i++) {
        g_autoptr(GBytes) blob = NULL;
        g_autoptr(GError) error = NULL;

        blob_load(road->repo, opener, BLOB_DATA, &g_array_index(node->content, Id, i), &blob,
                  &error);
        g_assert_no_error(error);
        g_byte_array_append(all, g_bytes_get_data(blob, NULL), (guint)g_bytes_get_size(blob));
    }
    return all;
}

static void assert_holds(Road *road, const Tree *tree, const char *name, const uint8_t *data,
                         size_t len)
{
    const Node *node = tree_find(tree, name);
    g_autoptr(GByteArray) got = NULL;

    g_assert_nonnull(node);
    g_assert_cmpuint(node->size, ==, len);
    got = load_content(road, node);
    g_assert_cmpmem(got->data, got->len, data, len);
}

/* ---- facts ---- */

static void content_comes_back_however_it_was_sliced(void)
{
    static const size_t slices[] = { 4093, 65536, 1024 * 1024, 9 * 1024 * 1024, 23 * 1024 * 1024 };
    size_t len = 23 * MIB + 17;
    g_autofree uint8_t *data = noise(len, 7);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(slices); i++) {
        g_autofree char *name = g_strdup_printf("slice-%zu", i);
        g_autoptr(Node) node = file_node(name, len);
        void *handle = begin_entry(&road, node, 0);

        for (size_t at = 0; at < len; at += slices[i])
            write_at(&road, handle, at, data + at, MIN(slices[i], len - at));
        end_entry(&road, handle, NULL);
    }
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    for (size_t i = 0; i < G_N_ELEMENTS(slices); i++) {
        g_autofree char *name = g_strdup_printf("slice-%zu", i);

        assert_holds(&road, tree, name, data, len);
    }
    // the same content, cut alike, is stored once
    g_assert_cmpuint(snapshot->summary.data_added, <, len + 64 * 1024);
    road_close(&road);
}

static void small_and_empty_files_share_batches(void)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    for (unsigned i = 0; i < 3000; i++) {
        g_autofree char *name = g_strdup_printf("f%04u", i);
        g_autofree uint8_t *data = noise(i % 700 + 1, i);

        put_file(&road, name, data, i % 7 == 0 ? 0 : i % 700 + 1);
    }
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    g_assert_cmpuint(tree->nodes->len, ==, 3000);
    g_assert_cmpuint(snapshot->summary.files_new, ==, 3000);
    for (unsigned i = 0; i < 3000; i++) {
        g_autofree char *name = g_strdup_printf("f%04u", i);
        g_autofree uint8_t *data = noise(i % 700 + 1, i);

        assert_holds(&road, tree, name, data, i % 7 == 0 ? 0 : i % 700 + 1);
    }
    road_close(&road);
}

static void holes_are_zeros_and_cost_one_chunk(void)
{
    uint64_t size = 300 * (uint64_t)MIB + 5;
    g_autoptr(Node) node = file_node("sparse", size);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    g_autoptr(GByteArray) got = NULL;
    g_autofree uint8_t *want = g_malloc0(size);
    Road road = { 0 };
    void *handle;

    road_open(&road);
    road_begin(&road, NULL);
    handle = begin_entry(&road, node, 0);
    write_at(&road, handle, 100 * (uint64_t)MIB + 3, "island", 6);
    end_entry(&road, handle, node);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    got = load_content(&road, tree_find(tree, "sparse"));
    memcpy(want + 100 * (uint64_t)MIB + 3, "island", 6);
    g_assert_cmpuint(got->len, ==, size);
    g_assert_true(memcmp(got->data, want, size) == 0);
    g_assert_cmpuint(snapshot->summary.data_blobs, <, 12);
    road_close(&road);
}

/* Otherwise a file whose holes were filled with zeros would be stored once more. */
static void holes_between_fixed_cuts_are_the_pieces_that_zeros_are(void)
{
    enum { CUT = 65536, SIZE = 40 * CUT + 100, ISLAND = 17 * CUT + 1000 };
    g_autofree uint8_t *data = g_malloc0(SIZE);
    g_autofree uint8_t *some = noise(CUT + 5000, 4);
    g_autoptr(Node) filled = file_node("filled", SIZE);
    g_autoptr(Node) sparse = file_node("sparse", SIZE);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    const GArray *a, *b;
    Road road = { 0 };
    void *handle;

    memcpy(data, some, CUT + 5000);
    memcpy(data + ISLAND, some, 3000);
    road_open(&road);
    road_begin(&road, NULL);
    handle = begin_entry(&road, filled, CUT);
    write_at(&road, handle, 0, data, SIZE);
    end_entry(&road, handle, filled);
    handle = begin_entry(&road, sparse, CUT);
    write_at(&road, handle, 0, some, CUT + 5000);
    write_at(&road, handle, ISLAND, some, 3000);
    end_entry(&road, handle, sparse);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    a = tree_find(tree, "filled")->content;
    b = tree_find(tree, "sparse")->content;
    g_assert_cmpuint(a->len, ==, 41);
    g_assert_cmpmem(a->data, a->len * sizeof(Id), b->data, b->len * sizeof(Id));
    assert_holds(&road, tree, "sparse", data, SIZE);
    road_close(&road);
}

static void a_hole_beyond_all_measure_is_refused(void)
{
    g_autoptr(Node) node = file_node("abyss", UINT64_C(1) << 62);
    g_autoptr(GError) error = NULL;
    Road road = { 0 };
    void *handle;

    road_open(&road);
    road_begin(&road, NULL);
    handle = begin_entry(&road, node, 0);
    g_assert_false(sink_write(road.sink, handle, UINT64_C(1) << 62, "x", 1, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    sink_abandon(road.sink, handle);
    road_close(&road);
}

static void fixed_cuts_are_where_they_are_asked_for(void)
{
    g_autofree uint8_t *data = noise(10 * 65536 + 100, 3);
    g_autoptr(Node) node = file_node("heap", 10 * 65536 + 100);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };
    void *handle;

    road_open(&road);
    road_begin(&road, NULL);
    handle = begin_entry(&road, node, 65536);
    write_at(&road, handle, 0, data, 10 * 65536 + 100);
    end_entry(&road, handle, NULL);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    g_assert_cmpuint(tree_find(tree, "heap")->content->len, ==, 11);
    assert_holds(&road, tree, "heap", data, 10 * 65536 + 100);
    road_close(&road);
}

static void what_is_abandoned_is_not_in_the_tree(void)
{
    g_autofree uint8_t *data = noise(20 * MIB, 5);
    g_autoptr(Node) node = file_node("gone", 20 * MIB);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };
    void *handle, *dir;

    road_open(&road);
    road_begin(&road, NULL);
    put_file(&road, "before", data, 1000);
    handle = begin_entry(&road, node, 0);
    write_at(&road, handle, 0, data, 20 * MIB - 5);
    sink_abandon(road.sink, handle);
    put_file(&road, "stays", data + 5, 3 * MIB);
    dir = begin_dir(&road, "lost");
    put_file(&road, "inside", data, 10);
    sink_abandon(road.sink, dir);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    g_assert_cmpuint(tree->nodes->len, ==, 2);
    assert_holds(&road, tree, "before", data, 1000);
    assert_holds(&road, tree, "stays", data + 5, 3 * MIB);
    road_close(&road);
}

/* A directory with one file in each of its subdirectories; the file of changed gets another time.
 */
static void put_dirs(Road *road, unsigned changed, unsigned *ret_reused)
{
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 20; i++) {
        g_autofree char *dir_name = g_strdup_printf("d%02u", i);
        g_autofree uint8_t *data = noise(5000, i);
        g_autoptr(Node) node = file_node("file", 5000);
        void *dir = begin_dir(road, dir_name), *file;
        bool reused = false;

        node->mtime.nsec = i == changed;
        file = begin_entry(road, node, 0);
        sink_reuse(road->sink, file, &reused, &error);
        g_assert_no_error(error);
        *ret_reused += reused;
        if (!reused)
            write_at(road, file, 0, data, 5000);
        end_entry(road, file, NULL);
        end_entry(road, dir, NULL);
    }
}

static void unchanged_entries_cost_nothing(void)
{
    g_autoptr(Snapshot) first = NULL, second = NULL, third = NULL;
    unsigned reused[3] = { 0 };
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    put_dirs(&road, 99, &reused[0]);
    first = road_finish(&road);
    road_begin(&road, first);
    put_dirs(&road, 99, &reused[1]);
    second = road_finish(&road);
    road_begin(&road, second);
    put_dirs(&road, 4, &reused[2]);
    third = road_finish(&road);
    g_assert_cmpuint(reused[0], ==, 0);
    g_assert_cmpuint(reused[1], ==, 20);
    g_assert_cmpuint(reused[2], ==, 19);
    g_assert_true(id_equal(&first->tree, &second->tree));
    g_assert_cmpuint(second->summary.data_added, ==, 0);
    g_assert_cmpuint(second->summary.dirs_unmodified, ==, 20);
    g_assert_false(id_equal(&second->tree, &third->tree));
    g_assert_cmpuint(third->summary.data_blobs, ==, 0);
    g_assert_cmpuint(third->summary.dirs_changed, ==, 1);
    road_close(&road);
}

static void order_of_children_is_no_matter(void)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    put_file(&road, "zebra", (const uint8_t *)"z", 1);
    put_file(&road, "Ant", (const uint8_t *)"a", 1);
    put_file(&road, "mole", (const uint8_t *)"m", 1);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    g_assert_cmpstr(((Node *)g_ptr_array_index(tree->nodes, 0))->name, ==, "Ant");
    assert_holds(&road, tree, "mole", (const uint8_t *)"m", 1);
    road_close(&road);
}

static void a_stream_may_come_back_to_a_directory(void)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL, inner = NULL, other = NULL;
    void *left, *second, *below;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    left = begin_dir(&road, "global");
    below = begin_dir(&road, "status");
    sink_enter(road.sink, left);
    put_file(&road, "1260", (const uint8_t *)"r", 1);
    end_entry(&road, below, NULL);
    g_assert_true(sink_can_enter(road.sink));
    // nothing of it is ended, but what comes lies beside it
    second = begin_dir(&road, "pg_wal");
    sink_enter(road.sink, left);
    put_file(&road, "pg_control", (const uint8_t *)"c", 1);
    sink_enter(road.sink, second);
    put_file(&road, "segment", (const uint8_t *)"w", 1);
    end_entry(&road, second, NULL);
    end_entry(&road, left, NULL);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    inner = load_tree(&road, &tree_find(tree, "global")->subtree);
    g_assert_cmpuint(inner->nodes->len, ==, 4);
    assert_holds(&road, inner, "1260", (const uint8_t *)"r", 1);
    assert_holds(&road, inner, "pg_control", (const uint8_t *)"c", 1);
    other = load_tree(&road, &tree_find(inner, "pg_wal")->subtree);
    assert_holds(&road, other, "segment", (const uint8_t *)"w", 1);
    road_close(&road);
}

/* ---- several pushers ---- */

#define PUSHERS 4
#define EACH    60

typedef struct {
    Road *road;
    void *handles[EACH];
    unsigned number;
} Pusher;

static void *push_files(void *arg)
{
    Pusher *pusher = arg;

    for (unsigned i = 0; i < EACH; i++) {
        size_t len = 30000 * (size_t)(i + 1);
        g_autofree uint8_t *data = noise(len, pusher->number * 1000 + i);

        for (size_t at = 0; at < len; at += 70000)
            write_at(pusher->road, pusher->handles[i], at, data + at, MIN(70000, len - at));
        end_entry(pusher->road, pusher->handles[i], NULL);
    }
    return NULL;
}

static void several_threads_may_feed(void)
{
    Pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Tree) tree = NULL;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    for (unsigned p = 0; p < PUSHERS; p++) {
        pushers[p] = (Pusher){ .road = &road, .number = p };
        for (unsigned i = 0; i < EACH; i++) {
            g_autofree char *name = g_strdup_printf("p%u-%02u", p, i);
            g_autoptr(Node) node = file_node(name, 30000 * (uint64_t)(i + 1));

            pushers[p].handles[i] = begin_entry(&road, node, 0);
        }
    }
    for (unsigned p = 0; p < PUSHERS; p++)
        g_assert_cmpint(pthread_create(&threads[p], NULL, push_files, &pushers[p]), ==, 0);
    for (unsigned p = 0; p < PUSHERS; p++)
        pthread_join(threads[p], NULL);
    snapshot = road_finish(&road);
    tree = load_tree(&road, &snapshot->tree);
    for (unsigned p = 0; p < PUSHERS; p++)
        for (unsigned i = 0; i < EACH; i++) {
            g_autofree char *name = g_strdup_printf("p%u-%02u", p, i);
            g_autofree uint8_t *data = noise(30000 * (size_t)(i + 1), p * 1000 + i);

            assert_holds(&road, tree, name, data, 30000 * (size_t)(i + 1));
        }
    road_close(&road);
}

static void without_finish_there_is_no_snapshot(void)
{
    g_autofree uint8_t *data = noise(3 * MIB, 1);
    g_autoptr(GArray) snapshots = NULL;
    g_autoptr(GError) error = NULL;
    Road road = { 0 };

    road_open(&road);
    road_begin(&road, NULL);
    put_file(&road, "file", data, 3 * MIB);
    g_clear_pointer(&road.archiver, archiver_free);
    repo_list(road.repo, FILE_SNAPSHOT, &snapshots, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(snapshots->len, ==, 0);
    road_close(&road);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archiver/slices", content_comes_back_however_it_was_sliced);
    g_test_add_func("/archiver/small", small_and_empty_files_share_batches);
    g_test_add_func("/archiver/holes/content", holes_are_zeros_and_cost_one_chunk);
    g_test_add_func("/archiver/holes/fixed",
                    holes_between_fixed_cuts_are_the_pieces_that_zeros_are);
    g_test_add_func("/archiver/holes/abyss", a_hole_beyond_all_measure_is_refused);
    g_test_add_func("/archiver/fixed", fixed_cuts_are_where_they_are_asked_for);
    g_test_add_func("/archiver/abandon", what_is_abandoned_is_not_in_the_tree);
    g_test_add_func("/archiver/unchanged", unchanged_entries_cost_nothing);
    g_test_add_func("/archiver/order", order_of_children_is_no_matter);
    g_test_add_func("/archiver/enter", a_stream_may_come_back_to_a_directory);
    g_test_add_func("/archiver/feeders", several_threads_may_feed);
    g_test_add_func("/archiver/unfinished", without_finish_there_is_no_snapshot);
    return g_test_run();
}
