/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every store call of every operation that writes fails once: before it did anything, after it was
 * done (the answer was lost), and for good (the store went away). The repository stays whole, what
 * was said to be done is done, and the next try ends well. And every changed byte is found.
 */
#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "op/backup.h"
#include "op/copy.h"
#include "op/forget.h"
#include "op/repairsnapshots.h"
#include "repo/check.h"
#include "repo/pack.h"
#include "repo/prune.h"
#include "repo/repairindex.h"
#include "repo/walk.h"
#include "source/files.h"
#include <malloc.h>
#include <stdlib.h>

/* ---- helpers ---- */

typedef struct {
    Store *store; /* the one with the faults in front of it */
    Store *other; /* of copy, without faults */
    char *dir, *state_dir;
} World;

static Store *store_copy(Store *from)
{
    g_autoptr(GError) error = NULL;
    Store *copy = memory_store_new();
    Store *pair[] = { from, copy };

    store_list(from, "", copy_object, pair, &error);
    g_assert_no_error(error);
    return copy;
}

/* Every number writes something else. */
static void write_file(const World *world, const char *name, unsigned number)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(number);
    uint32_t words[700];

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        words[i] = g_rand_int(rand);
    tempdir_write(world->dir, name, words, sizeof words);
}

static bool open_locked(const World *world, Store *store, bool exclusive, OpenRepo *ret_open,
                        GError **error)
{
    LockOptions options = { .exclusive = exclusive, .state_dir = world->state_dir };

    *ret_open = (OpenRepo){ .at.store = store };
    ret_open->repo = fixture_try_open(store, FIXTURE_PASSWORD, error);
    return ret_open->repo && lock_acquire(ret_open->repo, &options, NULL, &ret_open->lock, error);
}

/* open_done() without the store, which is borrowed here. */
static void close_locked(OpenRepo *open)
{
    open->at.store = NULL;
    open_done(open);
}

static void found_in_check(const Finding *finding, void *user)
{
    (void)user;
    g_test_message("%s: %s: %s", finding->code, finding->object, finding->message);
}

static uint64_t errors_in(Repo *repo)
{
    g_autoptr(GError) error = NULL;
    CheckOptions options = { .read_data = true };
    CheckWatch watch = { .found = found_in_check };
    CheckResult result = { 0 };

    check_run(repo, &options, &watch, NULL, &result, &error);
    g_assert_no_error(error);
    return result.errors;
}

typedef struct {
    Repo *repo;
    BlobOpener *opener;
} Reading;

static WalkNext read_content(const char *path, const Node *node, void *user, GError **error)
{
    Reading *reading = user;

    (void)path;
    for (guint i = 0; node->content && i < node->content->len; i++) {
        g_autoptr(GBytes) plain = NULL;

        if (!blob_load(reading->repo, reading->opener, BLOB_DATA,
                       &g_array_index(node->content, Id, i), &plain, error))
            return WALK_FAIL;
    }
    return WALK_CONTINUE;
}

/* All of it can be restored. The index is loaded. */
static bool is_whole(Repo *repo, const Snapshot *snapshot)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    g_autoptr(GError) error = NULL;
    Reading reading = { repo, opener };

    if (tree_walk(repo, &snapshot->tree, "", read_content, NULL, &reading, NULL, &error))
        return true;
    g_test_message("snapshot %s: %s", id_short(&snapshot->id).text, error->message);
    return false;
}

/* Oldest first. */
static GPtrArray *snapshots_in(Repo *repo)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *snapshots = NULL;

    snapshot_list(repo, NULL, NULL, &snapshots, &error);
    g_assert_no_error(error);
    return snapshots;
}

static guint n_snapshots(Store *store)
{
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GPtrArray) snapshots = snapshots_in(repo);

    return snapshots->len;
}

/* How many snapshots can be restored whole. */
static guint n_whole(Store *store)
{
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GPtrArray) snapshots = snapshots_in(repo);
    g_autoptr(GError) error = NULL;
    guint n = 0;

    repo_load_index(repo, NULL, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < snapshots->len; i++)
        n += is_whole(repo, g_ptr_array_index(snapshots, i));
    return n;
}

static void check_is_clean(Store *store)
{
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);

    g_assert_cmpuint(errors_in(repo), ==, 0);
}

/* ---- the operations ---- */

static bool backup_at(const World *world, Store *store, const char *time, GError **error)
{
    const char *paths[] = { world->dir, NULL };
    FilesOptions files = { 0 };
    BackupRequest request = { .time = time, .host = "host" };
    BackupWatch watch = { 0 };
    BackupResult result = { 0 };
    g_autoptr(Source) source = files_source_new(paths, &files, error);
    OpenRepo open;
    bool ok = source && open_locked(world, store, false, &open, error) &&
              op_backup(&open, source, &request, &watch, NULL, &result, error);

    g_assert_nonnull(source);
    g_assert_cmpuint(result.problems, ==, 0);
    backup_result_clear(&result);
    close_locked(&open);
    return ok;
}

static bool run_backup(const World *world, Store *store, GError **error)
{
    return backup_at(world, store, "2024-01-03 00:00:00", error);
}

static void backup_claims(const World *world, Store *store)
{
    (void)world;
    g_assert_cmpuint(n_snapshots(store), >=, 3);
}

static void no_matter(const Snapshot *snapshot, const GError *problem)
{
    (void)snapshot;
    (void)problem;
}

static bool run_forget(const World *world, Store *store, GError **error)
{
    ForgetRequest request = { .policy = { .last = 1 } };
    g_autoptr(ForgetPlan) plan = NULL;
    OpenRepo open;
    bool ok = open_locked(world, store, true, &open, error) &&
              forget_decide(&open, &request, NULL, &plan, error) &&
              forget_remove(&open, plan, NULL, no_matter, error);

    if (ok && plan->unreadable > 0) { // as the command does
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "unreadable");
        ok = false;
    }
    close_locked(&open);
    return ok;
}

static void forget_claims(const World *world, Store *store)
{
    (void)world;
    g_assert_cmpuint(n_snapshots(store), ==, 1);
}

static bool run_prune(const World *world, Store *store, GError **error)
{
    PruneOptions options = { .unused = PRUNE_UNUSED_BYTES };
    g_autoptr(Prune) prune = NULL;
    OpenRepo open;
    bool ok = open_locked(world, store, true, &open, error) &&
              prune_plan(open.repo, &options, NULL, &prune, error) &&
              prune_execute(prune, NULL, NULL, NULL, error);

    close_locked(&open);
    return ok;
}

static void prune_claims(const World *world, Store *store)
{
    g_autoptr(Repo) repo = fixture_open(store, FIXTURE_PASSWORD);
    g_autoptr(GError) error = NULL;
    PruneOptions options = { .unused = PRUNE_UNUSED_BYTES };
    g_autoptr(Prune) prune = NULL;

    (void)world;
    prune_plan(repo, &options, NULL, &prune, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(prune_stats(prune)->blobs_unused, ==, 0);
}

static void no_news(const Snapshot *snapshot, const Snapshot *saved, void *user)
{
    (void)snapshot;
    (void)saved;
    (void)user;
}

static bool copy_between(const World *world, Store *from_store, Store *to_store, GError **error)
{
    CopyRequest request = { 0 };
    CopyWatch watch = { .copied = no_news };
    OpenRepo from = { 0 }, to = { 0 };
    bool ok = open_locked(world, from_store, false, &from, error) &&
              open_locked(world, to_store, false, &to, error) &&
              op_copy(&from, &to, &request, &watch, NULL, &(CopyResult){ 0 }, error);

    close_locked(&from);
    close_locked(&to);
    return ok;
}

static bool run_copy_from(const World *world, Store *store, GError **error)
{
    return copy_between(world, store, world->other, error);
}

static void copy_from_claims(const World *world, Store *store)
{
    (void)store;
    g_assert_cmpuint(n_whole(world->other), ==, 2);
}

static bool run_copy_to(const World *world, Store *store, GError **error)
{
    return copy_between(world, world->other, store, error);
}

static void copy_to_claims(const World *world, Store *store)
{
    (void)world;
    g_assert_cmpuint(n_whole(store), ==, 2);
}

static void no_finding(const char *code, const char *object, const char *message, void *user)
{
    (void)code;
    (void)object;
    (void)message;
    (void)user;
}

static bool run_repair_index(const World *world, Store *store, GError **error)
{
    RepairIndexOptions options = { .read_data = true };
    RepairIndexWatch watch = { .found = no_finding };
    RepairIndexStats stats;
    OpenRepo open;
    bool ok = open_locked(world, store, true, &open, error) &&
              repair_index(open.repo, &options, &watch, NULL, &stats, error);

    close_locked(&open);
    return ok;
}

static void repair_index_claims(const World *world, Store *store)
{
    (void)world;
    g_assert_cmpuint(n_whole(store), ==, 2);
    check_is_clean(store);
}

static void no_damage(const Id *snapshot, const char *path, const char *action, const char *message,
                      void *user)
{
    (void)snapshot;
    (void)path;
    (void)action;
    (void)message;
    (void)user;
}

static void not_told(const Id *snapshot, const Id *saved, bool lost, bool removed, void *user)
{
    (void)snapshot;
    (void)saved;
    (void)user;
    g_assert_false(lost);
    g_assert_true(removed);
}

static bool run_repair_snapshots(const World *world, Store *store, GError **error)
{
    RepairSnapshotsRequest request = { .forget = true };
    RepairSnapshotsWatch watch = { no_damage, not_told, NULL };
    RepairSnapshotsResult result;
    OpenRepo open;
    bool ok = open_locked(world, store, true, &open, error) &&
              op_repair_snapshots(&open, &request, &watch, NULL, &result, error);

    close_locked(&open);
    return ok;
}

static void repair_snapshots_claims(const World *world, Store *store)
{
    (void)world;
    g_assert_cmpuint(n_whole(store), ==, 2);
    g_assert_cmpuint(n_snapshots(store), ==, 2);
    check_is_clean(store);
}

/* ---- what they begin with ---- */

/* Two snapshots; the files have changed since. */
static void prepare_two(World *world)
{
    g_autoptr(GError) error = NULL;

    quick_try_init(world->store, 2, FIXTURE_PASSWORD, &error);
    g_assert_no_error(error);
    write_file(world, "same", 1);
    write_file(world, "dir/changing", 2);
    backup_at(world, world->store, "2024-01-01 00:00:00", &error);
    g_assert_no_error(error);
    write_file(world, "dir/changing", 3);
    write_file(world, "dir/new", 4);
    backup_at(world, world->store, "2024-01-02 00:00:00", &error);
    g_assert_no_error(error);
    write_file(world, "dir/changing", 5);
}

static void prepare_prune(World *world)
{
    g_autoptr(GError) error = NULL;

    prepare_two(world);
    run_forget(world, world->store, &error);
    g_assert_no_error(error);
}

static void prepare_copy(World *world)
{
    g_autoptr(GError) error = NULL;

    prepare_two(world);
    quick_try_init(world->other, 2, FIXTURE_PASSWORD, &error);
    g_assert_no_error(error);
}

static void prepare_copy_to(World *world)
{
    Store *full;

    prepare_copy(world);
    full = world->store;
    world->store = world->other;
    world->other = full;
}

/* The newest object of index/ that the first snapshot does not need. */
static void prepare_repair_index(World *world)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) first = NULL, both = NULL;

    quick_try_init(world->store, 2, FIXTURE_PASSWORD, &error);
    g_assert_no_error(error);
    write_file(world, "same", 1);
    backup_at(world, world->store, "2024-01-01 00:00:00", &error);
    g_assert_no_error(error);
    file_list(world->store, FILE_INDEX, &first, NULL, &error);
    write_file(world, "new", 2);
    backup_at(world, world->store, "2024-01-02 00:00:00", &error);
    file_list(world->store, FILE_INDEX, &both, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(first->len, ==, 1);
    g_assert_cmpuint(both->len, ==, 2);
    for (guint i = 0; i < both->len; i++) {
        const Id *id = &g_array_index(both, FileInfo, i).id;

        if (!id_equal(id, &g_array_index(first, FileInfo, 0).id))
            store_remove(world->store, file_key(FILE_INDEX, id).text, &error);
    }
    g_assert_no_error(error);
}

static bool cut_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    const World *world = user;
    FileKey key = file_key(FILE_PACK, pack);
    uint64_t size = pack_size(blobs, n);
    g_autoptr(GBytes) bytes = NULL;

    // every blob is whole, the header is not
    return store_get_whole(world->store, key.text, size, &bytes, error) &&
           store_put(world->store, key.text, g_bytes_get_data(bytes, NULL), size - 9, false, error);
}

static void prepare_cut_packs(World *world)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Repo) repo = NULL;

    prepare_two(world);
    repo = fixture_open(world->store, FIXTURE_PASSWORD);
    repo_load_index(repo, NULL, &error);
    g_assert_no_error(error);
    index_each_pack(repo_index(repo), cut_pack, world, &error);
    g_assert_no_error(error);
}

static bool lose_data_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                           GError **error)
{
    const World *world = user;

    (void)n;
    return blobs[0].type == BLOB_TREE ||
           store_remove(world->store, file_key(FILE_PACK, pack).text, error);
}

static void prepare_repair_snapshots(World *world)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Repo) repo = NULL;

    prepare_two(world);
    repo = fixture_open(world->store, FIXTURE_PASSWORD);
    repo_load_index(repo, NULL, &error);
    g_assert_no_error(error);
    index_each_pack(repo_index(repo), lose_data_pack, world, &error);
    run_repair_index(world, world->store, &error);
    g_assert_no_error(error);
}

/* ---- the matrix ---- */

typedef struct {
    const char *name;
    void (*prepare)(World *world);
    bool (*run)(const World *world, Store *store, GError **error);
    /* What is true once it was said to be done. */
    void (*claims)(const World *world, Store *store);
    bool damaged; /* the check is clean only afterwards */
    guint keeps;  /* snapshots that can be restored at any time */
} Operation;

static const Operation operations[] = {
    { "backup", prepare_two, run_backup, backup_claims, false, 2 },
    { "forget", prepare_two, run_forget, forget_claims, false, 1 },
    { "prune", prepare_prune, run_prune, prune_claims, false, 1 },
    { "copy-from", prepare_copy, run_copy_from, copy_from_claims, false, 2 },
    { "copy-to", prepare_copy_to, run_copy_to, copy_to_claims, false, 0 },
    { "repair-index", prepare_repair_index, run_repair_index, repair_index_claims, true, 1 },
    { "repair-packs", prepare_cut_packs, run_repair_index, repair_index_claims, true, 2 },
    { "repair-snapshots", prepare_repair_snapshots, run_repair_snapshots, repair_snapshots_claims,
      true, 0 },
};

static void stays_whole(const World *world, const Operation *operation, Store *store)
{
    g_assert_cmpuint(n_whole(store), >=, operation->keeps);
    if (!operation->damaged)
        check_is_clean(store);
    if (world->other)
        check_is_clean(world->other);
}

/* False when the operation ended before call n. */
static bool survives(const World *prepared, const Operation *operation, FlakyPlan plan)
{
    g_autoptr(Store) memory = store_copy(prepared->store);
    g_autoptr(Store) other = prepared->other ? store_copy(prepared->other) : NULL;
    g_autoptr(Store) flaky = flaky_store_new(memory);
    World world = { memory, other, prepared->dir, prepared->state_dir };
    g_autoptr(GError) error = NULL;
    unsigned faults;
    bool ok;

    flaky_store_plan(flaky, &plan);
    ok = operation->run(&world, flaky, &error);
    faults = flaky_store_faults(flaky);
    flaky_store_plan(flaky, NULL);
    g_test_message("%s, call %u: %s", operation->name, plan.at, ok ? "done" : error->message);
    g_assert_true(ok == !error);
    if (ok)
        operation->claims(&world, memory);
    stays_whole(&world, operation, memory);
    g_clear_error(&error);
    operation->run(&world, flaky, &error);
    g_assert_no_error(error);
    operation->claims(&world, memory);
    check_is_clean(memory);
    return faults > 0;
}

static void every_call_fails_once(gconstpointer data)
{
    static const struct {
        const char *label;
        FlakyHow how;
        unsigned n;
    } faults[] = {
        { "nothing is done", FLAKY_FAIL, 1 },
        { "done, but the answer is lost", FLAKY_APPLY, 1 },
        { "the store goes away", FLAKY_FAIL, 0 },
    };
    const Operation *operation = data;
    World world = { .store = memory_store_new() };
    bool copies = g_str_has_prefix(operation->name, "copy");

    world.other = copies ? memory_store_new() : NULL;
    world.dir = tempdir_new();
    world.state_dir = tempdir_new();
    operation->prepare(&world);
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        FlakyPlan plan = { CALL_ANY, NULL, 1, faults[i].n, BS_ERROR_TRANSIENT, faults[i].how };

        g_test_message("%s", faults[i].label);
        while (survives(&world, operation, plan))
            plan.at++;
        g_assert_cmpuint(plan.at, >, 8); // it did use the store
    }
    store_free(world.store);
    store_free(world.other);
    tempdir_remove(world.dir);
    tempdir_remove(world.state_dir);
}

/* ---- single bytes ---- */

static bool is_found(Store *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Repo) repo = fixture_try_open(store, FIXTURE_PASSWORD, &error);
    CheckOptions options = { .read_data = true };
    CheckWatch nobody_watches = { 0 };
    CheckResult result = { 0 };

    return !repo || !check_run(repo, &options, &nobody_watches, NULL, &result, &error) ||
           result.errors > 0;
}

static void put(Store *store, const char *key, const void *bytes, size_t len)
{
    g_autoptr(GError) error = NULL;

    store_put(store, key, bytes, len, false, &error);
    g_assert_no_error(error);
}

static bool list_key(const StoreObject *object, void *user, GError **error)
{
    (void)error;
    g_ptr_array_add(user, g_strdup(object->key));
    return true;
}

static unsigned flip_step(void)
{
    const char *step = g_getenv("FLIP_STEP"); // sanitizers make every check dear

    return step ? (unsigned)MAX(atoi(step), 1) : 1;
}

static void spoil_object(Store *store, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) whole = NULL;
    g_autofree uint8_t *bytes = NULL;
    gsize len;

    store_get_whole(store, key, 1u << 20, &whole, &error);
    g_assert_no_error(error);
    len = g_bytes_get_size(whole);
    bytes = g_malloc0(len + 1);
    memcpy(bytes, g_bytes_get_data(whole, NULL), len);
    for (gsize at = 0; at < len; at += flip_step()) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        put(store, key, bytes, len);
        if (!is_found(store))
            g_error("%s: a bit of byte %zu of %zu was changed, and nobody noticed", key, at, len);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    put(store, key, bytes, len - 1);
    g_assert_true(is_found(store));
    put(store, key, bytes, len + 1);
    g_assert_true(is_found(store));
    put(store, key, bytes, 0);
    g_assert_true(is_found(store));
    put(store, key, bytes, len);
}

static void every_changed_byte_is_found(void)
{
    World world = { .store = memory_store_new() };
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    world.dir = tempdir_new();
    world.state_dir = tempdir_new();
    quick_try_init(world.store, 2, FIXTURE_PASSWORD, &error);
    tempdir_write(world.dir, "plain", "a few bytes", 11);
    tempdir_write(world.dir, "shrinks",
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 65);
    backup_at(&world, world.store, "2024-01-01 00:00:00", &error);
    g_assert_no_error(error);
    g_assert_false(is_found(world.store));
    store_list(world.store, "", list_key, keys, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(keys->len, ==,
                     6); // config, key, index, snapshot, a pack of data, one of trees
    for (guint i = 0; i < keys->len; i++)
        spoil_object(world.store, g_ptr_array_index(keys, i));
    g_assert_false(is_found(world.store));
    store_free(world.store);
    tempdir_remove(world.dir);
    tempdir_remove(world.state_dir);
}

int main(int argc, char **argv)
{
    // meson has malloc fill what it gives: here that would be hundreds of gigabytes of buffers
    mallopt(M_PERTURB, 0);
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(operations); i++) {
        g_autofree char *name = g_strconcat("/faults/", operations[i].name, NULL);

        g_test_add_data_func(name, &operations[i], every_call_fails_once);
    }
    g_test_add_func("/faults/every-changed-byte-is-found", every_changed_byte_is_found);
    return g_test_run();
}
