/* SPDX-License-Identifier: Apache-2.0 */
#include "op/storestats.h"

#include "base/clock.h"
#include "base/error.h"
#include "lib/flaky_store.h"
#include "store/memory.h"
#include <string.h>

static void put_at(Store *store, int64_t time, const char *key, const char *text)
{
    g_autoptr(GError) error = NULL;

    clock_set((Timestamp){ .sec = time });
    store_put(store, key, text, strlen(text), false, &error);
    g_assert_no_error(error);
}

static void assert_usage(const StoreUsage *usage, uint64_t objects, uint64_t bytes, int64_t oldest,
                         int64_t newest)
{
    g_assert_cmpuint(usage->objects, ==, objects);
    g_assert_cmpuint(usage->bytes, ==, bytes);
    g_assert_cmpint(usage->oldest, ==, oldest);
    g_assert_cmpint(usage->newest, ==, newest);
}

static void counts_each_kind(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(GError) error = NULL;
    StoreStats stats;

    put_at(store, 1000, "config", "12345");
    put_at(store, 900, "keys/a", "123");
    put_at(store, 3000, "data/ab/x", "1234567");
    put_at(store, 2000, "data/cd/y", "1");
    put_at(store, 2500, "data/ef/z", "12");
    put_at(store, 4000, "wal/1/2/3", "");
    put_at(store, 5000, "backstay/mirrors/x", "1");
    put_at(store, 6000, "config/inside", "1"); // not config, which is no prefix
    put_at(store, 7000, "keys", "1");          // and keys is one
    put_at(store, 7000, "database/x", "1");
    op_store_stats(store, &stats, &error);
    g_assert_no_error(error);
    assert_usage(&stats.places[STORE_CONFIG], 1, 5, 1000, 1000);
    assert_usage(&stats.places[STORE_KEYS], 1, 3, 900, 900);
    assert_usage(&stats.places[STORE_DATA], 3, 10, 2000, 3000);
    assert_usage(&stats.places[STORE_INDEX], 0, 0, 0, 0);
    assert_usage(&stats.places[STORE_WAL], 1, 0, 4000, 4000);
    assert_usage(&stats.places[STORE_BACKSTAY], 1, 1, 5000, 5000);
    assert_usage(&stats.places[STORE_OTHER], 3, 3, 6000, 7000);
    assert_usage(&stats.total, 10, 22, 900, 7000);
    assert_usage(&stats.unfinished, 0, 0, 0, 0);
}

static void tells_nothing_of_half_a_listing(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_LIST, .at = 1, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) error = NULL;
    StoreStats stats;

    put_at(memory, 1000, "config", "c");
    flaky_store_plan(flaky, &plan);
    g_assert_false(op_store_stats(flaky, &stats, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
}

static void says_that_there_is_no_repository(void)
{
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(GError) error = NULL;
    StoreStats stats;

    put_at(store, 1000, "holiday.jpg", "x");
    g_assert_false(op_store_stats(store, &stats, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_REPO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/storestats/counts-each-kind", counts_each_kind);
    g_test_add_func("/storestats/tells-nothing-of-half-a-listing", tells_nothing_of_half_a_listing);
    g_test_add_func("/storestats/says-that-there-is-no-repository",
                    says_that_there_is_no_repository);
    return g_test_run();
}
