/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walsegment.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "lib/recorded_wal.h"
#include "store/memory.h"

#define SEGMENT "000000010000000000000009"
#define BEGIN   UINT64_C(0x900000) /* segments of 1 MiB */

/* ---- a store in which something happens between two looks ---- */

typedef struct {
    Store base;
    Store *next;
    unsigned lists;
    void (*listed)(Store *next, unsigned n); /* after the n-th listing; NULL: nothing happens */
} BusyStore;

static bool busy_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                     GError **error)
{
    return store_put(((BusyStore *)store)->next, key, data, len, if_absent, error);
}

static bool busy_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                           GError **error)
{
    return store_get_whole(((BusyStore *)store)->next, key, bound, ret_data, error);
}

static bool busy_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    BusyStore *busy = (BusyStore *)store;
    bool ok = store_list(busy->next, prefix, each, user, error);

    busy->lists++;
    if (busy->listed && g_str_has_prefix(prefix, "wal/"))
        busy->listed(busy->next, busy->lists);
    return ok;
}

static bool busy_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    return store_stat(((BusyStore *)store)->next, key, ret_size, error);
}

static void busy_free(Store *store)
{
    store_free(((BusyStore *)store)->next);
    g_free(store->location);
    g_free(store);
}

static const StoreOps busy_ops = {
    .name = "busy",
    .put = busy_put,
    .get_whole = busy_get_whole,
    .list = busy_list,
    .stat = busy_stat,
    .free = busy_free,
};

static Store *busy_store_new(void)
{
    BusyStore *busy = g_new0(BusyStore, 1);

    busy->base.ops = &busy_ops;
    busy->base.location = g_strdup("busy");
    busy->next = memory_store_new();
    return &busy->base;
}

/* ---- what lies there ---- */

typedef struct {
    Store *store;
    Repo *repo;
    GByteArray *wal; /* one whole segment */
    uint64_t system_id;
    WalName segment;
} World;

static World *now; /* for what happens between two looks */

static void world_init(World *world)
{
    g_autofree char *system_id = recorded_control(15, "system_identifier");

    *world = (World){ .store = busy_store_new(), .wal = recorded(15, SEGMENT) };
    world->repo = quick_repo(world->store);
    world->system_id = g_ascii_strtoull(system_id, NULL, 10);
    g_assert_true(wal_name_parse(SEGMENT, &world->segment, NULL));
    g_assert_cmpuint(world->wal->len, ==, RECORDED_SEGMENT);
    now = world;
}

static void world_done(World *world)
{
    repo_close(world->repo);
    store_free(world->store);
    g_byte_array_unref(world->wal);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static void put(const WalObject *object, size_t len)
{
    g_autoptr(GError) error = NULL;
    bool was_there;

    wal_object_put(now->repo, object, now->wal->data, len, &was_there, NULL, &error);
    g_assert_no_error(error);
}

static void put_part(uint64_t len)
{
    WalObject object;

    wal_part_init(&object, now->system_id, &now->segment, BEGIN + len);
    put(&object, len);
}

static void remove_part(uint64_t len)
{
    WalObject object;

    wal_part_init(&object, now->system_id, &now->segment, BEGIN + len);
    g_assert_true(
        store_remove(((BusyStore *)now->store)->next, wal_object_key(&object).text, NULL));
}

static void put_whole(void)
{
    WalObject object;

    g_assert_true(wal_object_init(&object, now->system_id, SEGMENT, NULL));
    put(&object, now->wal->len);
}

static void assert_held(size_t len)
{
    g_auto(WalSegment) held = { 0 };
    g_autoptr(GBytes) file = NULL;
    g_autoptr(GError) error = NULL;
    const uint8_t *data;
    size_t file_len;

    wal_segment_get(now->repo, now->system_id, &now->segment, &held, &error);
    g_assert_no_error(error);
    g_assert_cmpint(held.whole, ==, len == RECORDED_SEGMENT);
    g_assert_cmpuint(held.segment_size, ==, RECORDED_SEGMENT);
    g_assert_cmpuint(held.begin, ==, BEGIN);
    g_assert_cmpuint(held.end, ==, BEGIN + len);
    g_assert_cmpmem(g_bytes_get_data(held.content, NULL), g_bytes_get_size(held.content),
                    now->wal->data, len);
    file = wal_segment_file(&held);
    data = g_bytes_get_data(file, &file_len);
    g_assert_cmpuint(file_len, ==, RECORDED_SEGMENT);
    g_assert_cmpmem(data, len, now->wal->data, len);
    for (size_t i = len; i < file_len; i++)
        g_assert_cmpuint(data[i], ==, 0);
}

static void assert_not_held(int code, const char *says)
{
    g_auto(WalSegment) held = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(wal_segment_get(now->repo, now->system_id, &now->segment, &held, &error));
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, says));
    g_assert_null(held.content);
}

/* ---- facts ---- */

static void names_of_parts_come_back(void)
{
    static const char *const others[] = {
        "",
        SEGMENT,
        SEGMENT ".part.",
        SEGMENT ".part.00000000009000",
        SEGMENT ".part.000000000090000a",
        SEGMENT ".part.0000000000900000.part.0000000000900000",
        SEGMENT ".partial",
        "00000002.history.part.0000000000900000",
        "00000001.part.0000000000900000",
    };
    WalName segment, of;
    WalObject object;
    uint64_t lsn;

    g_assert_true(wal_name_parse("0000000A0000001600000042", &segment, NULL));
    wal_part_init(&object, 7, &segment, UINT64_C(0x16420001F8));
    g_assert_cmpstr(object.name, ==, "0000000A0000001600000042.part.00000016420001F8");
    g_assert_true(wal_part_parse(object.name, &of, &lsn));
    g_assert_cmpint(wal_name_compare(&of, &segment), ==, 0);
    g_assert_cmpuint(lsn, ==, UINT64_C(0x16420001F8));
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_test_message("%s", others[i]);
        g_assert_false(wal_part_parse(others[i], &of, &lsn));
    }
}

static void the_newest_part_and_then_the_whole_is_held(void)
{
    g_auto(World) world;

    world_init(&world);
    assert_not_held(BS_ERROR_NOT_FOUND, SEGMENT);
    put_part(8192);
    assert_held(8192);
    put_part(0x10000);
    put_part(0x8000);
    assert_held(0x10000);
    put_whole();
    assert_held(RECORDED_SEGMENT);
}

static void a_part_of_another_segment_is_none_of_this(void)
{
    g_auto(World) world;
    WalObject object;

    world_init(&world);
    world.segment.low++;
    wal_part_init(&object, world.system_id, &world.segment, BEGIN + RECORDED_SEGMENT + 8192);
    put(&object, 8192);
    world.segment.low--;
    assert_not_held(BS_ERROR_NOT_FOUND, SEGMENT);
    // what is in it says that it has the wrong name
    world.segment.low++;
    assert_not_held(BS_ERROR_MISMATCH, "holds the WAL at 0/900000");
}

static void a_part_that_does_not_end_there_is_refused(void)
{
    g_auto(World) world;
    WalObject object;

    world_init(&world);
    wal_part_init(&object, world.system_id, &world.segment, BEGIN + 9000);
    put(&object, 8192);
    assert_not_held(BS_ERROR_CORRUPT, "do not end where its name says");
}

static void a_part_of_another_cluster_is_refused(void)
{
    g_auto(World) world;

    world_init(&world);
    world.system_id++;
    put_part(8192);
    assert_not_held(BS_ERROR_MISMATCH, "its content is of cluster");
}

/* ---- while a receiver goes on ---- */

static void replace_part(G_GNUC_UNUSED Store *next, unsigned n)
{
    put_part(n * 8192 + 8192);
    remove_part(n * 8192);
}

static void replace_two_times(Store *next, unsigned n)
{
    if (n <= 2)
        replace_part(next, n);
}

static void complete(Store *next, unsigned n)
{
    if (n == 1) {
        put_whole();
        g_assert_true(next != NULL);
    }
}

static void complete_and_remove(Store *next, unsigned n)
{
    complete(next, n);
    if (n == 1)
        remove_part(8192);
}

static void what_is_replaced_meanwhile_is_found(void)
{
    static const struct {
        const char *label;
        bool begun;
        void (*listed)(Store *next, unsigned n);
        size_t len;
    } cases[] = {
        { "two newer parts", true, replace_two_times, 3 * 8192 },
        { "the whole, and the part is gone", true, complete_and_remove, RECORDED_SEGMENT },
        { "the whole, and there was no part", false, complete, RECORDED_SEGMENT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world;
        BusyStore *busy;

        g_test_message("%s", cases[i].label);
        world_init(&world);
        busy = (BusyStore *)world.store;
        if (cases[i].begun)
            put_part(8192);
        busy->lists = 0;
        busy->listed = cases[i].listed;
        assert_held(cases[i].len);
    }
}

static void what_never_stays_is_no_absence(void)
{
    g_auto(World) world;

    world_init(&world);
    put_part(8192);
    ((BusyStore *)world.store)->lists = 0;
    ((BusyStore *)world.store)->listed = replace_part;
    assert_not_held(BS_ERROR_TRANSIENT, "faster than it can be read");
}

#define FACT(name, function) g_test_add_func("/walsegment/" name, function)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FACT("names-of-parts-come-back", names_of_parts_come_back);
    FACT("the-newest-part-and-then-the-whole-is-held", the_newest_part_and_then_the_whole_is_held);
    FACT("a-part-of-another-segment-is-none-of-this", a_part_of_another_segment_is_none_of_this);
    FACT("a-part-that-does-not-end-there-is-refused", a_part_that_does_not_end_there_is_refused);
    FACT("a-part-of-another-cluster-is-refused", a_part_of_another_cluster_is_refused);
    FACT("what-is-replaced-meanwhile-is-found", what_is_replaced_meanwhile_is_found);
    FACT("what-never-stays-is-no-absence", what_never_stays_is_no_absence);
    return g_test_run();
}
