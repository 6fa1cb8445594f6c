/* SPDX-License-Identifier: Apache-2.0 */
/* Content in any order: how much is asked of a far store. */
#include "base/error.h"
#include "codec/hash.h"
#include "flow/reading.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "repo/packer.h"

#define PAIRS   6u
#define LEN     (1200u * 1024) /* two of one file lie further apart than a gap may be wide */
#define REPEATS 300u

static Node *file_of(const char *name)
{
    Node *node = node_new();

    node->name = g_strdup(name);
    node->mode = S_IFREG | 0600;
    node->content = g_array_new(FALSE, FALSE, sizeof(Id));
    return node;
}

/* Two files whose blobs take turns in one pack, as when both were read at the same time. The first
 * begins with the same blob many times: more than a first window of a near store holds. */
static void store_files(Repo *repo, GByteArray *bytes, Id *ret_tree)
{
    g_autoptr(Packer) packer = packer_new(repo, &(PackerOptions){ .workers = 1 }, NULL);
    g_autoptr(Node) a = file_of("a"), b = file_of("b");
    Node *nodes[] = { a, b };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_byte_array_set_size(bytes, 2 * PAIRS * LEN);
    random_bytes(bytes->data, bytes->len);
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        Id id;

        g_assert_true(packer_store(packer, BLOB_DATA, bytes->data + i * LEN, LEN, &id, NULL));
        for (unsigned n = 0; n < (i == 0 ? REPEATS : 1); n++)
            g_array_append_val(nodes[i % 2]->content, id);
    }
    a->size = (uint64_t)(REPEATS + PAIRS - 1) * LEN;
    b->size = (uint64_t)PAIRS * LEN;
    tree_encode(nodes, 2, text);
    g_assert_true(packer_store(packer, BLOB_TREE, text->str, text->len, ret_tree, NULL));
    packer_finish(packer, &error);
    g_assert_no_error(error);
}

/* A sink that takes everything, and counts. */
typedef struct {
    Sink base;
    atomic_uint_least64_t bytes;
    const GByteArray *want;
    atomic_uint wrong;
} Counter;

static bool counter_begin(G_GNUC_UNUSED Sink *sink, const Entry *entry, void **ret_handle,
                          G_GNUC_UNUSED GError **error)
{
    *ret_handle = g_strdup(entry->path);
    return true;
}

/* The n-th blob of a or b is the pair's n-th; a's first comes often. */
static bool counter_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                          G_GNUC_UNUSED GError **error)
{
    Counter *counter = (Counter *)sink;
    uint64_t n = offset / LEN;
    bool second = g_str_equal(handle, "/b");
    uint64_t at = second ? 2 * n + 1 : n < REPEATS ? 0 : 2 * (n - REPEATS + 1);

    atomic_fetch_add(&counter->bytes, len);
    if (len != LEN || memcmp(data, counter->want->data + at * LEN, LEN) != 0)
        atomic_fetch_add(&counter->wrong, 1);
    return true;
}

static bool counter_end(G_GNUC_UNUSED Sink *sink, void *handle, G_GNUC_UNUSED const Node *node,
                        G_GNUC_UNUSED GError **error)
{
    g_free(handle);
    return true;
}

static void counter_abandon(G_GNUC_UNUSED Sink *sink, void *handle)
{
    g_free(handle);
}

static const SinkOps counter_ops = {
    .name = "counter",
    .caps = SINK_MANY_OPEN | SINK_ANY_ORDER,
    .begin = counter_begin,
    .write = counter_write,
    .end = counter_end,
    .abandon = counter_abandon,
};

static void files_that_share_a_pack_share_its_request(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) store = NULL;
    g_autoptr(Repo) repo = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    Counter counter = { .base = { &counter_ops }, .want = bytes };
    Id tree;

    memory->far = true;
    memory->connections = 8;
    store = flaky_store_new(memory);
    repo = quick_repo(store);
    g_assert_true(repo_load_index(repo, NULL, NULL));
    store_files(repo, bytes, &tree);
    flaky_store_plan(store, NULL);
    reader_run(repo, &tree, "", &counter.base, &(ReaderOptions){ .workers = 0 }, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(atomic_load(&counter.wrong), ==, 0);
    g_assert_cmpuint(atomic_load(&counter.bytes), ==, (uint64_t)(REPEATS + 2 * PAIRS - 1) * LEN);
    g_assert_cmpuint(flaky_store_calls(store, CALL_GET), ==, 2); // the tree, the pack
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/readany/shared", files_that_share_a_pack_share_its_request);
    return g_test_run();
}
