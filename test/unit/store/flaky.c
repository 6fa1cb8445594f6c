/* SPDX-License-Identifier: Apache-2.0 */
/* The flaky store of the tests must itself keep its word. */
#include "lib/flaky_store.h"

#include "conformance.h"
#include "store/memory.h"

static Store *make(void **ret_place)
{
    *ret_place = memory_store_new();
    return flaky_store_new(*ret_place);
}

static void discard(Store *store, void *place)
{
    store_free(store);
    store_free(place);
}

static bool holds(Store *store, const char *key, size_t want_len)
{
    uint64_t size;

    return store_stat(store, key, &size, NULL) && size == want_len;
}

static void fails_the_nth_call(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(memory);
    FlakyPlan plan = {
        .call = CALL_PUT, .prefix = "b", .at = 2, .n = 1, .code = BS_ERROR_TRANSIENT
    };
    g_autoptr(GError) error = NULL;

    flaky_store_plan(flaky, &plan);
    g_assert_true(store_put(flaky, "b1", "x", 1, false, NULL));
    g_assert_true(store_put(flaky, "a1", "x", 1, false, NULL));
    g_assert_false(store_put(flaky, "b2", "x", 1, false, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_false(holds(memory, "b2", 1));
    g_assert_true(store_put(flaky, "b2", "x", 1, false, NULL));
    g_assert_cmpuint(flaky_store_calls(flaky, CALL_PUT), ==, 4);
    g_assert_cmpuint(flaky_store_calls(flaky, CALL_ANY), ==, 4);
    g_assert_cmpuint(flaky_store_faults(flaky), ==, 1);
}

static void fails_all_from_there_on(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_ANY, .at = 2, .code = BS_ERROR_DENIED };
    uint64_t size;

    flaky_store_plan(flaky, &plan);
    g_assert_true(store_put(flaky, "a", "x", 1, false, NULL));
    g_assert_false(store_stat(flaky, "a", &size, NULL));
    g_assert_false(store_remove(flaky, "a", NULL));
    flaky_store_plan(flaky, NULL);
    g_assert_true(store_remove(flaky, "a", NULL));
}

static void loses_answers_and_cuts_short(void)
{
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_PUT, .at = 1, .n = 1, .how = FLAKY_APPLY };

    flaky_store_plan(flaky, &plan);
    g_assert_false(store_put(flaky, "a", "1234", 4, false, NULL));
    g_assert_true(holds(memory, "a", 4));
    plan.how = FLAKY_CUT;
    flaky_store_plan(flaky, &plan);
    g_assert_true(store_put(flaky, "b", "1234", 4, false, NULL));
    g_assert_true(holds(memory, "b", 2));
}

static void removing_many_goes_on_after_an_error(void)
{
    static const char *const keys[] = { "a", "b", "c" };
    g_autoptr(Store) memory = memory_store_new();
    g_autoptr(Store) flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_REMOVE, .at = 2, .n = 1, .code = BS_ERROR_DENIED };
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        g_assert_true(store_put(memory, keys[i], "x", 1, false, NULL));
    flaky_store_plan(flaky, &plan);
    g_assert_false(store_remove_many(flaky, keys, G_N_ELEMENTS(keys), &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_assert_false(holds(memory, "a", 1));
    g_assert_true(holds(memory, "b", 1));
    g_assert_false(holds(memory, "c", 1));
}

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "flaky", .open = make, .close = discard, .n_listed = 10
    };

    g_test_init(&argc, &argv, NULL);
    store_conformance_add(&maker);
    g_test_add_func("/store/flaky/fails_the_nth_call", fails_the_nth_call);
    g_test_add_func("/store/flaky/fails_all_from_there_on", fails_all_from_there_on);
    g_test_add_func("/store/flaky/loses_answers_and_cuts_short", loses_answers_and_cuts_short);
    g_test_add_func("/store/flaky/removing_many_goes_on_after_an_error",
                    removing_many_goes_on_after_an_error);
    return g_test_run();
}
