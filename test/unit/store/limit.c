/* SPDX-License-Identifier: Apache-2.0 */
#include "store/limit.h"

#include "base/clock.h"
#include "conformance.h"
#include "lib/flaky_store.h"
#include "store/memory.h"
#include "store/retry.h"

#include <pthread.h>
#include <string.h>

#define KIB          1024u
#define TOLERANCE_MS 900 /* this machine may be busy; work that takes time counts as waiting */

/* ---- a limited store in memory, and a clock that only sleeping moves ---- */

static Store *limited(const Limits *limits)
{
    return limit_store_new(memory_store_new(), limits);
}

typedef void (*Work)(Store *store);

/* How long it took by the clock, less what this machine needed for it. */
static int64_t slept_ms(Store *store, Work work)
{
    int64_t started_ms = clock_monotonic_ms();
    gint64 started_us = g_get_monotonic_time();

    work(store);
    return clock_monotonic_ms() - started_ms - (g_get_monotonic_time() - started_us) / 1000;
}

static void assert_slept(Store *store, Work work, int64_t want_ms)
{
    int64_t ms = slept_ms(store, work);

    g_assert_cmpint(ms, >=, want_ms - TOLERANCE_MS);
    g_assert_cmpint(ms, <=, want_ms + TOLERANCE_MS);
}

/* ---- what is waited for ---- */

static void put_kibibyte(Store *store)
{
    static const char data[KIB];

    g_assert_true(store_put(store, "k", data, sizeof data, false, NULL));
}

static void get_kibibyte(Store *store)
{
    char data[KIB];

    g_assert_true(store_get(store, "k", 0, data, sizeof data, NULL));
}

static void get_whole_kibibyte(Store *store)
{
    g_autoptr(GBytes) data = NULL;

    g_assert_true(store_get_whole(store, "k", KIB, &data, NULL));
    g_assert_cmpuint(g_bytes_get_size(data), ==, KIB);
}

static void stat_kibibyte(Store *store)
{
    uint64_t size;

    g_assert_true(store_stat(store, "k", &size, NULL));
    g_assert_cmpuint(size, ==, KIB);
}

static void remove_other(Store *store)
{
    g_assert_true(store_remove(store, "other", NULL));
}

static bool do_nothing(G_GNUC_UNUSED const StoreObject *object, G_GNUC_UNUSED void *user,
                       G_GNUC_UNUSED GError **error)
{
    return true;
}

static void list_everything(Store *store)
{
    g_assert_true(store_list(store, "", do_nothing, NULL, NULL));
}

static void list_unfinished(Store *store)
{
    g_assert_true(store_list_unfinished(store, "", do_nothing, NULL, NULL));
}

static void remove_unfinished(Store *store)
{
    g_assert_true(store_remove_unfinished(store, &(StoreLeftovers){ "", 0 }, 1, NULL, NULL));
}

static bool give_bytes(void *user, void *buf, size_t size, size_t *ret_len,
                       G_GNUC_UNUSED GError **error)
{
    size_t *left = user;

    *ret_len = MIN(MIN(*left, size), 100);
    memset(buf, 'x', *ret_len);
    *left -= *ret_len;
    return true;
}

static void put_kibibyte_as_stream(Store *store)
{
    size_t left = KIB;

    g_assert_true(store_put_stream(store, "k", give_bytes, &left, NULL));
}

/* What ten calls in a row sleep; the first one never waits. */
static void each_call_waits_for_those_before(void)
{
    static const struct {
        const char *label;
        Work call;
        Limits limits;
        int64_t want_ms;
    } cases[] = {
        { "put: bytes up", put_kibibyte, { .up = KIB / 8 }, 9 * 8000 },
        { "put: not bytes down", put_kibibyte, { .down = 1 }, 0 },
        { "put: requests", put_kibibyte, { .requests = 1 }, 9 * 1000 },
        { "put: the slower of two", put_kibibyte, { .up = KIB / 8, .requests = 1 }, 9 * 8000 },
        { "get: bytes down", get_kibibyte, { .down = KIB / 8 }, 9 * 8000 },
        { "get: not bytes up", get_kibibyte, { .up = 1 }, 0 },
        { "get: requests", get_kibibyte, { .requests = 1 }, 9 * 1000 },
        { "get whole: bytes down", get_whole_kibibyte, { .down = KIB / 8 }, 9 * 8000 },
        { "get whole: requests", get_whole_kibibyte, { .requests = 1 }, 9 * 1000 },
        { "stat: no bytes", stat_kibibyte, { .up = 1, .down = 1 }, 0 },
        { "stat: requests", stat_kibibyte, { .requests = 1 }, 9 * 1000 },
        { "remove: requests", remove_other, { .requests = 1 }, 9 * 1000 },
        { "list: requests", list_everything, { .requests = 1 }, 9 * 1000 },
        { "list unfinished: requests", list_unfinished, { .requests = 1 }, 9 * 1000 },
        { "remove unfinished: requests", remove_unfinished, { .requests = 1 }, 9 * 1000 },
        { "stream: requests", put_kibibyte_as_stream, { .requests = 1 }, 9 * 1000 },
        { "no limit", put_kibibyte, { .up = 0 }, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Store *memory = memory_store_new();
        g_autoptr(Store) store = NULL;
        int64_t sum_ms = 0;

        g_test_message("%s", cases[i].label);
        put_kibibyte(memory);
        store = limit_store_new(memory, &cases[i].limits);
        for (unsigned n = 0; n < 10; n++)
            sum_ms += slept_ms(store, cases[i].call);
        g_assert_cmpint(sum_ms, >=, cases[i].want_ms - TOLERANCE_MS);
        g_assert_cmpint(sum_ms, <=, cases[i].want_ms + TOLERANCE_MS);
    }
}

static void pieces_of_a_stream_wait(void)
{
    g_autoptr(Store) store = limited(&(Limits){ .up = 10 });

    // ten of a hundred bytes; nobody waits for the rest
    assert_slept(store, put_kibibyte_as_stream, 10 * 10 * 1000);
}

static void what_was_not_used_is_not_saved_up(void)
{
    g_autoptr(Store) store = limited(&(Limits){ .up = KIB / 8 });

    put_kibibyte(store);
    clock_sleep_ms(3600 * 1000);
    assert_slept(store, put_kibibyte, 0);
    assert_slept(store, put_kibibyte, 8000);
}

static void a_long_listing_is_many_requests(void)
{
    Store *memory = memory_store_new();
    g_autoptr(Store) store = limit_store_new(memory, &(Limits){ .requests = 1 });

    for (unsigned i = 0; i < 2500; i++) {
        g_autofree char *key = g_strdup_printf("a/%u", i);

        g_assert_true(store_put(memory, key, "", 0, false, NULL));
    }
    assert_slept(store, list_everything, 2 * 1000);
}

static void remove_three(Store *store)
{
    static const char *const keys[] = { "a", "b", "c" };

    g_assert_true(store_remove_many(store, keys, 3, NULL));
}

static void removing_many_one_by_one_is_many_requests(void)
{
    g_autoptr(Store) store = limited(&(Limits){ .requests = 1 });

    assert_slept(store, remove_three, 2 * 1000);
}

static void removing_many_at_once_is_one_request(void)
{
    // the inner one removes many at once
    g_autoptr(Store) store = limit_store_new(limited(&(Limits){ 0 }), &(Limits){ .requests = 1 });

    assert_slept(store, remove_three, 0);
}

static void one_that_fails_does_not_keep_the_others(void)
{
    static const char *const keys[] = { "a", "b", "c" };
    g_autoptr(Store) memory = memory_store_new();
    Store *flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_REMOVE, .at = 2, .n = 1, .code = BS_ERROR_DENIED };
    g_autoptr(Store) store = limit_store_new(flaky, &(Limits){ 0 });
    g_autoptr(GError) error = NULL;
    uint64_t size;

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        g_assert_true(store_put(store, keys[i], "x", 1, false, NULL));
    flaky_store_plan(flaky, &plan);
    g_assert_false(store_remove_many(store, keys, 3, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        g_assert_cmpint(store_stat(memory, keys[i], &size, NULL), ==, i == 1);
}

/* As it is used: every try is paid for, and a batch that failed in part is removed to the last. */
static void each_try_is_counted(void)
{
    g_autoptr(Store) memory = memory_store_new();
    Store *flaky = flaky_store_new(memory);
    FlakyPlan plan = { .call = CALL_PUT, .at = 1, .n = 1, .code = BS_ERROR_TRANSIENT };
    Store *limit = limit_store_new(flaky, &(Limits){ .up = KIB / 64 });
    g_autoptr(Store) store = retry_store_new(limit, &(RetryPolicy){ 0 });

    flaky_store_plan(flaky, &plan);
    g_assert_cmpint(slept_ms(store, put_kibibyte), >=, 63 * 1000);
    plan.call = CALL_REMOVE;
    plan.at = 2;
    flaky_store_plan(flaky, &plan);
    remove_three(store);
    g_assert_cmpuint(flaky_store_calls(flaky, CALL_REMOVE), ==, 6);
}

/* ---- threads ---- */

#define THREADS 8

static void *put_ten(void *store)
{
    for (unsigned i = 0; i < 10; i++)
        put_kibibyte(store);
    return NULL;
}

static void put_in_threads(Store *store)
{
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, put_ten, store), ==, 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_share_one_allowance(void)
{
    g_autoptr(Store) store = limited(&(Limits){ .up = KIB });

    // the clock moves by what each of them sleeps, so there is only a lower bound
    g_assert_cmpint(slept_ms(store, put_in_threads), >=, (THREADS * 10 - 1) * 1000 - TOLERANCE_MS);
}

/* ---- cancel ---- */

typedef struct {
    Cancel *cancel;
    int64_t since_s;
} Canceller;

/* Once somebody waits: then the clock moves. */
static void *cancel_a_wait(void *user)
{
    const Canceller *canceller = user;

    while (clock_now().sec == canceller->since_s)
        g_usleep(100);
    cancel_set(canceller->cancel);
    return NULL;
}

static void cancel_ends_waiting(void)
{
    const size_t large = 16 * KIB * KIB; // half a year's worth, so that the wait is not over before
    g_autofree char *data = g_malloc0(large);
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(Store) store = limited(&(Limits){ .up = 1, .cancel = cancel });
    Canceller canceller = { cancel, clock_now().sec };
    g_autoptr(GError) error = NULL;
    pthread_t thread;

    g_assert_true(store_put(store, "k", data, large, false, NULL));
    g_assert_cmpint(pthread_create(&thread, NULL, cancel_a_wait, &canceller), ==, 0);
    g_assert_false(store_put(store, "k", "x", 1, false, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    pthread_join(thread, NULL);
    // what begins later tidies up
    assert_slept(store, put_kibibyte, 0);
    assert_slept(store, remove_other, 0);
}

/* ---- the suite ---- */

static Store *make(G_GNUC_UNUSED void **ret_place)
{
    return limited(&(Limits){ .up = 1000 * KIB, .down = 1000 * KIB, .requests = 100 });
}

static void discard(Store *store, G_GNUC_UNUSED void *place)
{
    store_free(store);
}

#define ADD(fact) g_test_add_func("/store/limit/" #fact, fact)

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "limit", .open = make, .close = discard, .n_listed = 3000
    };

    g_test_init(&argc, &argv, NULL);
    clock_set((Timestamp){ .sec = 1700000000 }); // nobody sleeps
    store_conformance_add(&maker);
    ADD(each_call_waits_for_those_before);
    ADD(pieces_of_a_stream_wait);
    ADD(what_was_not_used_is_not_saved_up);
    ADD(a_long_listing_is_many_requests);
    ADD(removing_many_one_by_one_is_many_requests);
    ADD(removing_many_at_once_is_one_request);
    ADD(one_that_fails_does_not_keep_the_others);
    ADD(each_try_is_counted);
    ADD(threads_share_one_allowance);
    ADD(cancel_ends_waiting);
    return g_test_run();
}
