/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walfloor.h"

#include "base/error.h"
#include "lib/fixture.h"
#include "lib/flaky_store.h"

#define CLUSTER UINT64_C(7301234567890123456)
#define OTHER   UINT64_C(18446744073709551615)
#define TOP     UINT64_C(18446744073709551000) /* more than JSON's numbers hold */

static bool count(const StoreObject *object, void *user, GError **error)
{
    (void)object;
    (void)error;
    ++*(unsigned *)user;
    return true;
}

static unsigned n_records(Store *store)
{
    unsigned n = 0;

    g_assert_true(store_list(store, "backstay/wal-floor/", count, &n, NULL));
    return n;
}

static void assert_floor(Repo *repo, uint64_t system_id, uint64_t want)
{
    uint64_t lsn = 1;
    g_autoptr(GError) error = NULL;

    wal_floor_load(repo, system_id, &lsn, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(lsn, ==, want);
}

static void rises_and_never_falls(void)
{
    g_autoptr(Store) store = memory_store_new();
    Repo *repo = quick_repo(store);

    assert_floor(repo, CLUSTER, 0);
    g_assert_true(wal_floor_raise(repo, CLUSTER, 500, NULL));
    g_assert_true(wal_floor_raise(repo, OTHER, TOP, NULL));
    g_assert_true(wal_floor_raise(repo, CLUSTER, 700, NULL));
    g_assert_true(wal_floor_raise(repo, CLUSTER, 600, NULL));
    g_assert_true(wal_floor_raise(repo, CLUSTER, 700, NULL));
    assert_floor(repo, CLUSTER, 700);
    assert_floor(repo, OTHER, TOP);
    g_assert_cmpuint(n_records(store), ==, 2); // one of each
    repo_close(repo);
}

/* The older one could not be removed: both lie there, and the higher counts. */
static void a_crash_in_between_leaves_the_higher(void)
{
    g_autoptr(Store) memory = memory_store_new(), store = flaky_store_new(memory);
    Repo *repo = quick_repo(store);
    FlakyPlan failing = { .call = CALL_REMOVE, .at = 1, .code = BS_ERROR_TRANSIENT };

    g_assert_true(wal_floor_raise(repo, CLUSTER, 500, NULL));
    flaky_store_plan(store, &failing);
    g_assert_false(wal_floor_raise(repo, CLUSTER, 700, NULL));
    flaky_store_plan(store, NULL);
    g_assert_cmpuint(n_records(store), ==, 2);
    assert_floor(repo, CLUSTER, 700);
    g_assert_true(wal_floor_raise(repo, CLUSTER, 800, NULL));
    g_assert_cmpuint(n_records(store), ==, 1);
    repo_close(repo);
}

static bool damage(const StoreObject *object, void *user, GError **error)
{
    return store_put(user, object->key, "x", 1, false, error);
}

static void damage_is_no_floor_of_zero(void)
{
    g_autoptr(Store) store = memory_store_new();
    Repo *repo = quick_repo(store);
    uint64_t lsn;

    g_assert_true(wal_floor_raise(repo, CLUSTER, 500, NULL));
    g_assert_true(store_list(store, "backstay/wal-floor/", damage, store, NULL));
    g_assert_false(wal_floor_load(repo, CLUSTER, &lsn, NULL));
    repo_close(repo);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walfloor/rises", rises_and_never_falls);
    g_test_add_func("/walfloor/crash", a_crash_in_between_leaves_the_higher);
    g_test_add_func("/walfloor/damage", damage_is_no_floor_of_zero);
    return g_test_run();
}
