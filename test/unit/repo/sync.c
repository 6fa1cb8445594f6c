/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/sync.h"

#include "base/error.h"
#include "codec/hash.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/gate_store.h"
#include "repo/check.h"
#include "repo/mirrors.h"

#include <string.h>

/* ---- a repository and a place for its copy ---- */

typedef struct {
    Store *from, *to; /* in memory */
    Repo *repo;       /* on from */
    GPtrArray *held_back;
} World;

/* Opens fast: its key is made anew. */
static void make_cheap(Store *store)
{
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(Secret) secret = secret_new(FIXTURE_PASSWORD, strlen(FIXTURE_PASSWORD));
    g_autoptr(GArray) keys = NULL;
    Id id;

    g_assert_true(file_list(store, FILE_KEY, &keys, NULL, NULL));
    g_assert_true(
        repo_add_key(store, repo_master_key(repo), secret, QUICK_COST, NULL, NULL, &id, NULL));
    for (guint i = 0; i < keys->len; i++)
        g_assert_true(repo_remove(repo, FILE_KEY, &g_array_index(keys, FileInfo, i).id, NULL));
}

static Store *store_copy(Store *from)
{
    g_autoptr(GError) error = NULL;
    Store *copy = memory_store_new();
    Store *pair[] = { from, copy };

    store_list(from, "", copy_object, pair, &error);
    g_assert_no_error(error);
    return copy;
}

static Store *fixture; /* what every world begins with */

static void world_init(World *world)
{
    *world = (World){
        .from = store_copy(fixture),
        .to = memory_store_new(),
        .held_back = g_ptr_array_new_with_free_func(g_free),
    };
    world->repo = fixture_open(world->from, FIXTURE_PASSWORD);
}

static void world_done(World *world)
{
    repo_close(world->repo);
    store_free(world->from);
    store_free(world->to);
    g_ptr_array_unref(world->held_back);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_done)

static void put(Store *store, const char *key, const void *data, size_t len)
{
    g_assert_true(store_put(store, key, data, len, false, NULL));
}

/* A sealed object under a name that is no hash, as those of WAL are. */
static void put_sealed(const World *world, Store *store, const char *key, const char *text)
{
    g_autoptr(GBytes) stored = NULL;
    Id id;

    g_assert_true(repo_encode(world->repo, text, strlen(text), &stored, &id, NULL));
    put(store, key, g_bytes_get_data(stored, NULL), g_bytes_get_size(stored));
}

static bool holds(Store *store, const char *key)
{
    uint64_t size;

    return store_stat(store, key, &size, NULL);
}

static void note_held_back(const char *key, const GError *problem, void *user)
{
    g_test_message("held back: %s: %s", key, problem->message);
    g_ptr_array_add(((World *)user)->held_back, g_strdup(key));
}

static bool was_held_back(const World *world, const char *prefix)
{
    for (guint i = 0; i < world->held_back->len; i++)
        if (g_str_has_prefix(g_ptr_array_index(world->held_back, i), prefix))
            return true;
    return false;
}

static Sync *compare(const World *world, Store *from, Store *to, SyncScope scope)
{
    g_autoptr(GError) error = NULL;
    Sync *sync = NULL;

    sync_compare(world->repo, from, to, scope, NULL, &sync, &error);
    g_assert_no_error(error);
    return sync;
}

static bool try_carry(World *world, Store *from, Store *to, SyncResult *result, GError **error)
{
    SyncWatch watch = { .held_back = note_held_back, .user = world };
    g_autoptr(Sync) sync = NULL;

    *result = (SyncResult){ 0 };
    g_ptr_array_set_size(world->held_back, 0);
    return sync_compare(world->repo, from, to, SYNC_ALL, NULL, &sync, error) &&
           sync_carry(sync, &watch, NULL, result, error);
}

static SyncResult carry(World *world)
{
    g_autoptr(GError) error = NULL;
    SyncResult result;

    try_carry(world, world->from, world->to, &result, &error);
    g_assert_no_error(error);
    return result;
}

/* ---- what must hold ---- */

static bool has_its_name(const StoreObject *object, void *user, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    const char *slash = strrchr(object->key, '/');
    Id name, actual;

    if (!slash || !id_parse(slash + 1, &name))
        return true;
    if (!store_get_whole(user, object->key, object->size, &bytes, error))
        return false;
    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &actual);
    g_assert_true(id_equal(&name, &actual));
    return true;
}

static void found_in_check(const Finding *finding, void *user)
{
    (void)user;
    g_test_message("%s: %s: %s", finding->code, finding->object, finding->message);
}

/* Every object is what its name says, and what is named is there. */
static void assert_whole(Store *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Repo) repo = NULL;
    CheckOptions options = { .read_data = true };
    CheckWatch watch = { .found = found_in_check };
    CheckResult result = { 0 };

    store_list(store, "", has_its_name, store, &error);
    g_assert_no_error(error);
    if (!holds(store, "config"))
        return;
    repo = fixture_open(store, FIXTURE_PASSWORD);
    check_run(repo, &options, &watch, NULL, &result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(result.errors, ==, 0);
}

static guint n_snapshots(Store *store)
{
    g_autoptr(GArray) files = NULL;

    g_assert_true(file_list(store, FILE_SNAPSHOT, &files, NULL, NULL));
    return files->len;
}

static FileKey first_key(Store *store, FileType type)
{
    g_autoptr(GArray) files = NULL;

    g_assert_true(file_list(store, type, &files, NULL, NULL));
    g_assert_cmpuint(files->len, >, 0);
    return file_key(type, &g_array_index(files, FileInfo, 0).id);
}

/* One byte of an object is another one; or, cut, the last is missing. */
static void damage(Store *store, const char *key, bool cut)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    uint8_t *data;

    g_assert_true(store_get_whole(store, key, UINT32_MAX, &bytes, NULL));
    data = g_bytes_unref_to_data(g_steal_pointer(&bytes), &len);
    data[len / 2] ^= cut ? 0 : 1;
    put(store, key, data, len - cut);
    g_free(data);
}

/* ---- comparing and carrying ---- */

static void a_new_copy_is_a_whole_repository(void)
{
    g_auto(World) world;
    g_autoptr(Sync) before = NULL, after = NULL;
    SyncResult result;

    world_init(&world);
    put_sealed(&world, world.from, "wal/7/00000001/000000010000000000000001", "segment");
    put(world.from, "locks/0000000000000000000000000000000000000000000000000000000000000000", "l",
        1);
    put(world.from, "stray", "s", 1);
    put(world.from, MIRROR_MARK_KEY, "mark", 4);
    put(world.to, MIRROR_MARK_KEY, "another", 7);
    before = compare(&world, world.from, world.to, SYNC_ALL);
    g_assert_cmpint(sync_facts(before)->since, >, 0);
    result = carry(&world);
    g_assert_cmpuint(result.carried.objects, ==, sync_facts(before)->missing.objects);
    g_assert_cmpuint(result.carried.bytes, ==, sync_facts(before)->missing.bytes);
    g_assert_cmpuint(result.held_back.objects, ==, 0);
    after = compare(&world, world.from, world.to, SYNC_ALL);
    g_assert_cmpuint(sync_facts(after)->missing.objects, ==, 0);
    g_assert_cmpuint(sync_facts(after)->extra.objects, ==, 0);
    g_assert_cmpint(sync_facts(after)->since, ==, 0);
    assert_whole(world.to);
    g_assert_cmpuint(n_snapshots(world.to), ==, 4);
    g_assert_true(holds(world.to, "wal/7/00000001/000000010000000000000001"));
    // what belongs to one copy alone stays there
    g_assert_false(holds(world.to, "stray"));
    g_assert_false(
        holds(world.to, "locks/0000000000000000000000000000000000000000000000000000000000000000"));
    damage(world.to, MIRROR_MARK_KEY, true); // it has seven bytes still
    g_assert_cmpuint(carry(&world).carried.objects, ==, 0);
}

/* Names tell whether anything is missing, packs need not be listed. */
static void names_tell_what_is_missing(void)
{
    g_auto(World) world;
    g_autoptr(Store) flaky = NULL;
    g_autoptr(Sync) first = NULL, second = NULL;
    FlakyPlan plan = { .call = CALL_LIST, .prefix = "data/", .at = 1, .code = BS_ERROR_FAILED };
    FileKey lost;

    world_init(&world);
    carry(&world);
    flaky = flaky_store_new(world.to);
    flaky_store_plan(flaky, &plan);
    first = compare(&world, world.from, flaky, SYNC_NAMES);
    g_assert_cmpuint(sync_facts(first)->missing.objects, ==, 0);
    lost = first_key(world.to, FILE_INDEX);
    g_assert_true(store_remove(world.to, lost.text, NULL));
    second = compare(&world, world.from, flaky, SYNC_NAMES);
    g_assert_cmpuint(sync_facts(second)->missing.objects, ==, 1);
}

static void what_is_cut_at_the_copy_is_replaced(void)
{
    static const FileType types[] = { FILE_PACK, FILE_INDEX, FILE_SNAPSHOT, FILE_KEY };
    g_auto(World) world;

    world_init(&world);
    carry(&world);
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        damage(world.to, first_key(world.to, types[i]).text, true);
    damage(world.to, "config", true);
    g_assert_cmpuint(carry(&world).carried.objects, ==, G_N_ELEMENTS(types) + 1);
    assert_whole(world.to);
}

static void a_sound_config_stays(void)
{
    g_auto(World) world;
    g_autoptr(Store) other = memory_store_new();
    g_autoptr(Repo) foreign = NULL;
    g_autoptr(GBytes) config = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Sync) sync = NULL;

    world_init(&world);
    carry(&world);
    damage(world.from, "config", false);
    g_assert_false(sync_compare(world.repo, world.from, world.to, SYNC_ALL, NULL, &sync, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    assert_whole(world.to);
}

static void another_repository_is_left_alone(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    g_autoptr(Sync) sync = NULL;
    Id id = { { 7 } };

    world_init(&world);
    carry(&world);
    damage(world.to, "config", false);
    g_assert_true(sync_compare(world.repo, world.from, world.to, SYNC_NAMES, NULL, &sync, NULL));
    g_assert_cmpuint(sync_facts(sync)->missing.objects, ==, 1);
    g_clear_pointer(&sync, sync_free);
    // with a key that is not ours it is no damage
    put(world.to, file_key(FILE_KEY, &id).text, "k", 1);
    g_assert_false(sync_compare(world.repo, world.from, world.to, SYNC_NAMES, NULL, &sync, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

/* ---- damage ---- */

static void damage_does_not_spread(void)
{
    static const struct {
        const char *label;
        FileType type;
        bool cut;
        const char *waits; /* what is held back with it */
        guint snapshots;   /* that arrive */
    } cases[] = {
        { "a pack", FILE_PACK, false, "index/", 0 },
        { "a cut pack", FILE_PACK, true, "index/", 0 },
        { "an index object", FILE_INDEX, false, "snapshots/", 0 },
        { "a snapshot", FILE_SNAPSHOT, false, "snapshots/", 3 },
        { "a key", FILE_KEY, false, "keys/", 4 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world;
        FileKey key;
        SyncResult result;

        g_test_message("%s", cases[i].label);
        world_init(&world);
        key = first_key(world.from, cases[i].type);
        damage(world.from, key.text, cases[i].cut);
        result = carry(&world);
        g_assert_true(was_held_back(&world, key.text));
        g_assert_true(was_held_back(&world, cases[i].waits));
        g_assert_cmpuint(result.held_back.objects, ==, world.held_back->len);
        g_assert_false(holds(world.to, key.text));
        g_assert_cmpuint(n_snapshots(world.to), ==, cases[i].snapshots);
        if (cases[i].type != FILE_KEY)
            assert_whole(world.to);
    }
}

/* A sound object at the copy outlives its damage here. */
static void damage_replaces_nothing(void)
{
    g_auto(World) world;

    world_init(&world);
    carry(&world);
    for (FileType type = FILE_KEY; type <= FILE_PACK; type++)
        if (type != FILE_LOCK) {
            FileKey key = first_key(world.from, type);

            damage(world.from, key.text, false);
            damage(world.from, key.text, true); // another size, so it seems to be missing
        }
    g_assert_cmpuint(carry(&world).carried.objects, ==, 0);
    g_assert_cmpuint(world.held_back->len, >=, 4);
    assert_whole(world.to);
}

static void what_is_no_hash_must_have_its_seal(void)
{
    static const char key[] = "wal/7/00000001/000000010000000000000001";
    g_auto(World) world;
    SyncResult result;

    world_init(&world);
    put_sealed(&world, world.from, key, "segment");
    put_sealed(&world, world.from, "backstay/kind/name", "{}");
    put(world.from, "wal/7/00000001/plain", "not sealed at all, but long enough for one", 42);
    damage(world.from, key, false);
    result = carry(&world);
    g_assert_cmpuint(result.held_back.objects, ==, 2);
    g_assert_true(was_held_back(&world, key));
    g_assert_false(holds(world.to, key));
    g_assert_true(holds(world.to, "backstay/kind/name"));
    g_assert_cmpuint(n_snapshots(world.to), ==, 4);
}

static void another_segment_of_that_name_stays(void)
{
    static const char key[] = "wal/7/00000001/000000010000000000000001";
    g_auto(World) world;
    g_autoptr(GBytes) before = NULL, after = NULL;

    world_init(&world);
    put_sealed(&world, world.from, key, "ours");
    put_sealed(&world, world.to, key, "theirs, which is longer");
    g_assert_true(store_get_whole(world.to, key, 1000, &before, NULL));
    g_assert_cmpuint(carry(&world).held_back.objects, ==, 1);
    g_assert_true(was_held_back(&world, key));
    g_assert_true(store_get_whole(world.to, key, 1000, &after, NULL));
    g_assert_true(g_bytes_equal(before, after));
}

/* ---- faults ---- */

/* Every call to either store fails once, or the store goes away: the copy is whole at any time, and
 * the next try ends well. */
static void every_call_may_fail(void)
{
    for (unsigned side = 0; side < 2; side++)
        for (unsigned for_good = 0; for_good < 2; for_good++) {
            unsigned faults = 1;

            for (unsigned at = 1; faults > 0; at++) {
                g_auto(World) world;
                g_autoptr(Store) from = NULL, to = NULL;
                g_autoptr(GError) error = NULL;
                FlakyPlan plan = {
                    .call = CALL_ANY, .at = at, .n = !for_good, .code = BS_ERROR_TRANSIENT
                };
                SyncResult result;
                bool ok;

                world_init(&world);
                from = flaky_store_new(world.from);
                to = flaky_store_new(world.to);
                flaky_store_plan(side ? to : from, &plan);
                ok = try_carry(&world, from, to, &result, &error);
                faults = flaky_store_faults(side ? to : from);
                g_assert_true(ok == (faults == 0));
                assert_whole(world.to);
                carry(&world);
                assert_whole(world.to);
                g_assert_cmpuint(n_snapshots(world.to), ==, 4);
            }
        }
}

static void names_come_last(void)
{
    g_auto(World) world;
    g_autoptr(Store) gate = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *log = NULL;
    SyncResult result;
    const char *packs, *index, *snapshots;

    world_init(&world);
    gate = gate_store_new(world.to);
    try_carry(&world, world.from, gate, &result, &error);
    g_assert_no_error(error);
    log = gate_store_log(gate);
    packs = g_strrstr(log, "put data/"); // the last one
    index = strstr(log, "put index/");
    g_assert_true(packs < index);
    index = g_strrstr(log, "put index/");
    snapshots = strstr(log, "put snapshots/");
    g_assert_true(index < snapshots);
    g_assert_true(strstr(log, "put config") < strstr(log, "put data/"));
}

/* ---- removing ---- */

static bool locked(void *user, GError **error)
{
    (void)error;
    ++*(unsigned *)user;
    return true;
}

static bool try_remove(const World *world, Store *from, Store *to, SyncRemoval what,
                       SyncResult *result, GError **error)
{
    g_autoptr(Sync) sync = NULL;
    unsigned asked = 0;

    *result = (SyncResult){ 0 };
    return repo_load_index_whole(world->repo, NULL, error) &&
           sync_compare(world->repo, from, to, SYNC_ALL, NULL, &sync, error) &&
           sync_remove(sync, what, locked, &asked, result, error);
}

static void removes_what_the_repository_no_longer_has(void)
{
    g_auto(World) world;
    g_autoptr(Store) gate = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *log = NULL;
    Id id = { { 7 } };
    SyncResult result;

    world_init(&world);
    carry(&world);
    put(world.to, file_key(FILE_PACK, &id).text, "p", 1);
    put(world.to, file_key(FILE_INDEX, &id).text, "i", 1);
    put(world.to, file_key(FILE_KEY, &id).text, "k", 1);
    put(world.to, "wal/7/old", "w", 1);
    put(world.to, "backstay/kind/old", "b", 1);
    put(world.to, "stray", "s", 1);
    put(world.to, MIRROR_MARK_KEY, "mark", 4);
    g_assert_true(store_remove(world.from, first_key(world.from, FILE_SNAPSHOT).text, NULL));
    gate = gate_store_new(world.to);
    try_remove(&world, world.from, gate, SYNC_REMOVE_EXTRA, &result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(result.removed, ==, 6);
    g_assert_cmpuint(n_snapshots(world.to), ==, 3);
    g_assert_true(holds(world.to, "stray"));
    g_assert_true(holds(world.to, MIRROR_MARK_KEY));
    g_assert_true(store_remove(world.to, MIRROR_MARK_KEY, NULL));
    assert_whole(world.to);
    log = gate_store_log(gate);
    g_assert_true(strstr(log, "remove snapshots/") < strstr(log, "remove index/"));
    g_assert_true(strstr(log, "remove index/") < strstr(log, "remove data/"));
}

/* Any but the last may be what only the copy still has. */
static void removes_by_itself_only_what_nothing_needs(void)
{
#define HEX "0700000000000000000000000000000000000000000000000000000000000000"
    static const char *const names[] = { "snapshots/" HEX, "keys/" HEX, "wal/7/old",
                                         "backstay/kind/old", "backstay/mirrors/old" };
    static const char pack[] = "data/07/" HEX, index[] = "index/" HEX;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_auto(World) world;
        g_autoptr(GError) error = NULL;
        bool goes = i == G_N_ELEMENTS(names) - 1;
        SyncResult result;

        world_init(&world);
        carry(&world);
        put(world.to, pack, "p", 1);
        put(world.to, index, "i", 1);
        put(world.to, names[i], "n", 1);
        g_test_message("%s", names[i]);
        try_remove(&world, world.from, world.to, SYNC_REMOVE_UNNEEDED, &result, &error);
        g_assert_cmpint(g_error_matches(error, BS_ERROR, BS_ERROR_GUARD), !=, goes);
        g_assert_cmpuint(result.removed, ==, goes ? 3 : 0);
        g_assert_cmpint(holds(world.to, pack), !=, goes);
        g_assert_cmpint(holds(world.to, names[i]), !=, goes);
    }
}

static void does_not_follow_a_repository_that_was_emptied(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    SyncResult result;

    world_init(&world);
    carry(&world);
    for (unsigned i = 0; i < 3; i++)
        g_assert_true(store_remove(world.from, first_key(world.from, FILE_SNAPSHOT).text, NULL));
    g_assert_false(try_remove(&world, world.from, world.to, SYNC_REMOVE_EXTRA, &result, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_GUARD);
    g_assert_cmpuint(n_snapshots(world.to), ==, 4);
    g_clear_error(&error);
    // unless it is told to
    try_remove(&world, world.from, world.to, SYNC_REMOVE_FORCED, &result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n_snapshots(world.to), ==, 1);
    assert_whole(world.to);
}

static void does_not_remove_while_something_is_missing(void)
{
    g_auto(World) world;
    g_autoptr(GError) error = NULL;
    Id id = { { 7 } };
    SyncResult result;

    world_init(&world);
    carry(&world);
    g_assert_true(store_remove(world.to, first_key(world.to, FILE_PACK).text, NULL));
    put(world.to, file_key(FILE_PACK, &id).text, "p", 1);
    g_assert_false(try_remove(&world, world.from, world.to, SYNC_REMOVE_FORCED, &result, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_GUARD);
    g_assert_true(holds(world.to, file_key(FILE_PACK, &id).text));
}

/* A listing that leaves out every second object and says nothing of it. */
static void does_not_believe_half_a_listing(void)
{
    static const char *const prefixes[] = { "snapshots/", "index/", "data/",
                                            "keys/",      "wal/",   "backstay/" };

    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        g_auto(World) world;
        g_autoptr(Store) from = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(Sync) sync = NULL;
        FlakyPlan plan = { .call = CALL_LIST, .prefix = prefixes[i], .at = 1, .how = FLAKY_CUT };
        SyncResult result;

        world_init(&world);
        for (unsigned k = 0; k < 3; k++) {
            g_autofree char *segment = g_strdup_printf("wal/7/%u", k);
            g_autofree char *record = g_strdup_printf("backstay/kind/%u", k);
            Id id = { { (uint8_t)k } };

            put_sealed(&world, world.from, segment, "w");
            put_sealed(&world, world.from, record, "{}");
            put_sealed(&world, world.from, file_key(FILE_KEY, &id).text, "k");
            put_sealed(&world, world.to, file_key(FILE_KEY, &id).text, "k");
        }
        carry(&world);
        from = flaky_store_new(world.from);
        flaky_store_plan(from, &plan);
        g_test_message("%s", prefixes[i]);
        g_assert_false(try_remove(&world, from, world.to, SYNC_REMOVE_FORCED, &result, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_GUARD);
        g_assert_nonnull(strstr(error->message, "a listing of"));
        g_assert_cmpuint(result.removed, ==, 0);
    }
}

int main(int argc, char **argv)
{
    int failed;

    g_test_init(&argc, &argv, NULL);
    fixture = fixture_store("v2-auto");
    make_cheap(fixture);
    g_test_add_func("/sync/a-new-copy-is-a-whole-repository", a_new_copy_is_a_whole_repository);
    g_test_add_func("/sync/names-tell-what-is-missing", names_tell_what_is_missing);
    g_test_add_func("/sync/what-is-cut-at-the-copy-is-replaced",
                    what_is_cut_at_the_copy_is_replaced);
    g_test_add_func("/sync/a-sound-config-stays", a_sound_config_stays);
    g_test_add_func("/sync/another-repository-is-left-alone", another_repository_is_left_alone);
    g_test_add_func("/sync/damage-does-not-spread", damage_does_not_spread);
    g_test_add_func("/sync/damage-replaces-nothing", damage_replaces_nothing);
    g_test_add_func("/sync/what-is-no-hash-must-have-its-seal", what_is_no_hash_must_have_its_seal);
    g_test_add_func("/sync/another-segment-of-that-name-stays", another_segment_of_that_name_stays);
    g_test_add_func("/sync/every-call-may-fail", every_call_may_fail);
    g_test_add_func("/sync/names-come-last", names_come_last);
    g_test_add_func("/sync/removes-what-the-repository-no-longer-has",
                    removes_what_the_repository_no_longer_has);
    g_test_add_func("/sync/does-not-follow-a-repository-that-was-emptied",
                    does_not_follow_a_repository_that_was_emptied);
    g_test_add_func("/sync/removes-by-itself-only-what-nothing-needs",
                    removes_by_itself_only_what_nothing_needs);
    g_test_add_func("/sync/does-not-remove-while-something-is-missing",
                    does_not_remove_while_something_is_missing);
    g_test_add_func("/sync/does-not-believe-half-a-listing", does_not_believe_half_a_listing);
    failed = g_test_run();
    store_free(fixture);
    return failed;
}
