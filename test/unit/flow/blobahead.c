/* SPDX-License-Identifier: Apache-2.0 */
/* Content in order, as a sink without caps gets it: every byte, with few requests. */
#include "flow/blobahead.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/memory_sink.h"
#include "repo/packer.h"

#define N_PIECES 40u
#define SMALL    50000u
#define LARGE    (1024u * 1024)

typedef struct {
    Store *memory, *store;
    Repo *repo;
    Id ids[2][N_PIECES]; /* two packs of small ones */
    Id large[20];        /* more than one of a reader's buffers holds */
    GByteArray *bytes[2][N_PIECES];
} World;

static void store_piece(Packer *packer, size_t len, Id *ret_id, GByteArray **ret_bytes)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_set_size(bytes, (guint)len);
    random_bytes(bytes->data, len);
    g_assert_true(packer_store(packer, BLOB_DATA, bytes->data, len, ret_id, NULL));
    if (ret_bytes)
        *ret_bytes = bytes;
    else
        g_byte_array_unref(bytes);
}

static void world_init(World *world, bool far)
{
    g_autoptr(GError) error = NULL;

    world->memory = memory_store_new();
    world->memory->far = far;
    world->store = flaky_store_new(world->memory);
    world->repo = quick_repo(world->store);
    g_assert_true(repo_load_index(world->repo, NULL, NULL));
    for (unsigned k = 0; k < 3; k++) {
        g_autoptr(Packer) packer = packer_new(world->repo, &(PackerOptions){ .workers = 1 }, NULL);

        for (unsigned i = 0; k < 2 && i < N_PIECES; i++)
            store_piece(packer, SMALL, &world->ids[k][i], &world->bytes[k][i]);
        for (unsigned i = 0; k == 2 && i < G_N_ELEMENTS(world->large); i++)
            store_piece(packer, LARGE, &world->large[i], NULL);
        packer_finish(packer, &error);
        g_assert_no_error(error);
    }
    flaky_store_plan(world->store, NULL);
}

static void world_done(World *world)
{
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < N_PIECES; i++)
            g_byte_array_unref(world->bytes[k][i]);
    repo_close(world->repo);
    store_free(world->store);
    store_free(world->memory);
}

static Node *file_of(const char *name)
{
    Node *node = node_new();

    node->name = g_strdup(name);
    node->mode = S_IFREG | 0600;
    node->content = g_array_new(FALSE, FALSE, sizeof(Id));
    return node;
}

static bool run(World *world, const Node *node, GByteArray **ret_bytes, GError **error)
{
    MemorySink *sink = memory_sink_new();
    bool ok = reader_run_node(world->repo, node, "", &sink->base, &(ReaderOptions){ .workers = 0 },
                              NULL, error);
    const MemoryEntry *entry = ok ? memory_sink_find(sink, "/file") : NULL;

    if (ok)
        *ret_bytes = g_byte_array_ref(entry->bytes);
    sink_free(&sink->base);
    return ok;
}

/* first, first + step, ...: n pieces of pack k. */
typedef struct {
    unsigned k, first;
    int step;
    unsigned n;
} Run;

static void neighbours_come_with_one_request(gconstpointer data)
{
    bool far = GPOINTER_TO_INT(data);
    static const struct {
        const char *label;
        Run runs[3];
        unsigned far_gets, near_gets;
    } cases[] = {
        { "a pack", { { 0, 0, 1, 40 } }, 1, 40 },
        { "two packs", { { 0, 0, 1, 40 }, { 1, 0, 1, 40 } }, 2, 80 },
        { "there and back", { { 0, 0, 1, 3 }, { 1, 5, 1, 2 }, { 0, 3, 1, 4 } }, 3, 9 },
        { "with gaps", { { 0, 0, 3, 13 } }, 1, 13 },
        { "again and again", { { 0, 7, 0, 30 }, { 0, 8, 0, 30 } }, 1, 60 },
        { "backwards", { { 0, 39, -1, 10 } }, 10, 10 },
    };
    World world;

    world_init(&world, far);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Node) node = file_of("file");
        g_autoptr(GByteArray) want = g_byte_array_new(), got = NULL;
        g_autoptr(GError) error = NULL;

        for (const Run *r = cases[i].runs; r < cases[i].runs + 3; r++)
            for (unsigned n = 0; n < r->n; n++) {
                unsigned at = (unsigned)((int)r->first + r->step * (int)n);

                g_array_append_val(node->content, world.ids[r->k][at]);
                g_byte_array_append(want, world.bytes[r->k][at]->data, SMALL);
            }
        g_test_message("%s", cases[i].label);
        flaky_store_plan(world.store, NULL);
        run(&world, node, &got, &error);
        g_assert_no_error(error);
        g_assert_cmpmem(got->data, got->len, want->data, want->len);
        g_assert_cmpuint(flaky_store_calls(world.store, CALL_GET), ==,
                         far ? cases[i].far_gets : cases[i].near_gets);
    }
    world_done(&world);
}

static void a_range_is_bounded(void)
{
    g_autoptr(Node) node = file_of("file");
    g_autoptr(GByteArray) got = NULL;
    g_autoptr(GError) error = NULL;
    World world;

    world_init(&world, true);
    g_array_append_vals(node->content, world.large, G_N_ELEMENTS(world.large));
    run(&world, node, &got, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(got->len, ==, G_N_ELEMENTS(world.large) * LARGE);
    // two packs, 16 and 4 MiB; a buffer holds 8
    g_assert_cmpuint(flaky_store_calls(world.store, CALL_GET), >=, 3);
    g_assert_cmpuint(flaky_store_calls(world.store, CALL_GET), <=, 4);
    world_done(&world);
}

static void a_blob_that_is_nowhere_is_named(void)
{
    g_autoptr(Node) node = file_of("file");
    g_autoptr(GByteArray) got = NULL;
    g_autoptr(GError) error = NULL;
    Id nowhere;
    World world;

    world_init(&world, true);
    hash_bytes("", 0, &nowhere);
    g_array_append_vals(node->content, world.ids[0], 5);
    g_array_append_val(node->content, nowhere);
    g_array_append_val(node->content, nowhere);
    g_array_append_vals(node->content, world.ids[0] + 5, 5);
    g_assert_false(run(&world, node, &got, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, id_short(&nowhere).text));
    world_done(&world);
}

/* What a range did not bring is asked for blob by blob. */
static void a_request_that_fails_is_not_the_end(void)
{
    g_autoptr(Node) node = file_of("file");
    g_autoptr(GByteArray) got = NULL;
    g_autoptr(GError) error = NULL;
    World world;

    world_init(&world, true);
    g_array_append_vals(node->content, world.ids[0], N_PIECES);
    flaky_store_plan(
        world.store,
        &(FlakyPlan){
            .call = CALL_GET, .at = 1, .n = 1, .code = BS_ERROR_TRANSIENT, .how = FLAKY_CUT });
    run(&world, node, &got, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(got->len, ==, N_PIECES * SMALL);
    for (unsigned i = 0; i < N_PIECES; i++)
        g_assert_cmpmem(got->data + i * SMALL, SMALL, world.bytes[0][i]->data, SMALL);
    g_assert_cmpuint(flaky_store_faults(world.store), ==, 1);
    world_done(&world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/blobahead/near", GINT_TO_POINTER(0), neighbours_come_with_one_request);
    g_test_add_data_func("/blobahead/far", GINT_TO_POINTER(1), neighbours_come_with_one_request);
    g_test_add_func("/blobahead/bounded", a_range_is_bounded);
    g_test_add_func("/blobahead/nowhere", a_blob_that_is_nowhere_is_named);
    g_test_add_func("/blobahead/fails", a_request_that_fails_is_not_the_end);
    return g_test_run();
}
