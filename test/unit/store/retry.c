/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retry.h"

#include "base/clock.h"
#include "conformance.h"
#include "lib/flaky_store.h"
#include "lib/tempdir.h"
#include "store/local.h"
#include "store/memory.h"

#include <string.h>

#define SECOND_MS   1000
#define MINUTE_MS   (60 * SECOND_MS)
#define DEADLINE_MS (15 * MINUTE_MS) /* by default */

/* ---- a flaky store in memory, and what is told before each pause ---- */

typedef struct {
    Store *memory;
    Store *flaky;
    RetryPolicy policy;
    Store *store; /* tries flaky again */
    GArray *pauses_ms;
    char *what; /* of the last pause */
    Cancel *cancel;
    bool cancels; /* before the first pause */
} Place;

static void note_pause(const char *what, const GError *failure, int64_t pause_ms, void *user)
{
    Place *place = user;

    g_assert_error(failure, BS_ERROR, BS_ERROR_TRANSIENT);
    g_array_append_val(place->pauses_ms, pause_ms);
    g_free(place->what);
    place->what = g_strdup(what);
    if (place->cancels)
        cancel_set(place->cancel);
}

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->memory = memory_store_new();
    place->flaky = flaky_store_new(place->memory);
    place->cancel = cancel_new();
    place->pauses_ms = g_array_new(FALSE, FALSE, sizeof(int64_t));
    place->policy = (RetryPolicy){ .cancel = place->cancel, .again = note_pause, .user = place };
    place->store = retry_store_new(place->flaky, &place->policy);
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    store_free(place->store);
    store_free(place->memory);
    cancel_free(place->cancel);
    g_array_unref(place->pauses_ms);
    g_free(place->what);
}

/* Another policy for the same store. */
static void set_deadline(Place *place, int64_t deadline_ms)
{
    store_free(place->store);
    place->flaky = flaky_store_new(place->memory);
    place->policy.deadline_ms = deadline_ms;
    place->store = retry_store_new(place->flaky, &place->policy);
}

static void fail_calls(Place *place, StoreCall call, unsigned n, int code)
{
    FlakyPlan plan = { .call = call, .at = 1, .n = n, .code = code };

    flaky_store_plan(place->flaky, &plan);
    g_array_set_size(place->pauses_ms, 0);
}

static void lose_answers(Place *place, StoreCall call, unsigned n)
{
    FlakyPlan plan = {
        .call = call, .at = 1, .n = n, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY
    };

    flaky_store_plan(place->flaky, &plan);
}

static bool put_if_absent(Place *place, const char *text, GError **error)
{
    return store_put(place->store, "wal/segment", text, strlen(text), true, error);
}

static bool stat_it(Place *place, GError **error)
{
    uint64_t size;

    return store_stat(place->store, "k", &size, error);
}

static void assert_holds(Store *store, const char *key, const char *text)
{
    g_autoptr(GBytes) data = NULL;

    g_assert_true(store_get_whole(store, key, 1000, &data, NULL));
    g_assert_cmpmem(g_bytes_get_data(data, NULL), g_bytes_get_size(data), text, strlen(text));
}

/* ---- what is tried again ---- */

static bool do_nothing(G_GNUC_UNUSED const StoreObject *object, G_GNUC_UNUSED void *user,
                       G_GNUC_UNUSED GError **error)
{
    return true;
}

static bool call_put(Store *store, GError **error)
{
    return store_put(store, "k", "v", 1, false, error);
}

static bool call_get(Store *store, GError **error)
{
    char byte = 0;

    return store_get(store, "k", 0, &byte, 1, error) && byte == 'v';
}

static bool call_get_whole(Store *store, GError **error)
{
    g_autoptr(GBytes) data = NULL;

    return store_get_whole(store, "k", 1, &data, error) && g_bytes_get_size(data) == 1;
}

static bool call_list(Store *store, GError **error)
{
    return store_list(store, "", do_nothing, NULL, error);
}

static bool call_stat(Store *store, GError **error)
{
    uint64_t size = 0;

    return store_stat(store, "k", &size, error) && size == 1;
}

static bool call_remove(Store *store, GError **error)
{
    return store_remove(store, "other", error);
}

static bool call_remove_many(Store *store, GError **error)
{
    const char *key = "other";

    return store_remove_many(store, &key, 1, error);
}

static bool call_list_unfinished(Store *store, GError **error)
{
    return store_list_unfinished(store, "", do_nothing, NULL, error);
}

static bool call_remove_unfinished(Store *store, GError **error)
{
    return store_remove_unfinished(store, &(StoreLeftovers){ "", 0 }, 1, NULL, error);
}

static const struct {
    const char *what;
    bool (*call)(Store *store, GError **error);
    StoreCall counted;
} calls[] = {
    { "put k", call_put, CALL_PUT },
    { "get k", call_get, CALL_GET },
    { "get k", call_get_whole, CALL_GET_WHOLE },
    { "list everything", call_list, CALL_LIST },
    { "stat k", call_stat, CALL_STAT },
    { "remove other", call_remove, CALL_REMOVE },
    { "remove other", call_remove_many, CALL_REMOVE },
    { "list what is unfinished", call_list_unfinished, CALL_LIST },
    { "remove what is unfinished", call_remove_unfinished, CALL_REMOVE },
};

static void transient_failures_are_tried_again(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_assert_true(store_put(place->memory, "k", "v", 1, false, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", calls[i].what);
        fail_calls(place, calls[i].counted, 3, BS_ERROR_TRANSIENT);
        g_assert_true(calls[i].call(place->store, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(flaky_store_calls(place->flaky, calls[i].counted), ==, 4);
        g_assert_cmpuint(place->pauses_ms->len, ==, 3);
        g_assert_cmpstr(place->what, ==, calls[i].what);
    }
}

static void other_failures_are_final(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_assert_true(store_put(place->memory, "k", "v", 1, false, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        for (int code = BS_ERROR_FAILED; code <= BS_ERROR_SOFT_SKIP; code++) {
            g_autoptr(GError) error = NULL;

            if (code == BS_ERROR_TRANSIENT)
                continue;
            g_test_message("%s, code %d", calls[i].what, code);
            fail_calls(place, calls[i].counted, 1, code);
            g_assert_false(calls[i].call(place->store, &error));
            g_assert_error(error, BS_ERROR, code);
            g_assert_cmpuint(flaky_store_calls(place->flaky, calls[i].counted), ==, 1);
            g_assert_cmpuint(place->pauses_ms->len, ==, 0);
        }
}

static bool give_some(void *user, void *buf, G_GNUC_UNUSED size_t size, size_t *ret_len,
                      G_GNUC_UNUSED GError **error)
{
    unsigned *n = user;

    *ret_len = (*n)-- > 0;
    memset(buf, 'x', *ret_len);
    return true;
}

static void a_stream_is_not_read_twice(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    unsigned n = 3;

    fail_calls(place, CALL_PUT_STREAM, 1, BS_ERROR_TRANSIENT);
    g_assert_false(store_put_stream(place->store, "k", give_some, &n, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_true(store_put_stream(place->store, "k", give_some, &n, NULL));
    assert_holds(place->memory, "k", "xxx");
}

/* ---- a put whose answer was lost ---- */

static void a_put_that_had_arrived_is_done(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const texts[] = { "mine", "" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        lose_answers(place, CALL_PUT, 1);
        g_assert_true(put_if_absent(place, texts[i], &error));
        g_assert_no_error(error);
        g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_PUT), ==, 2);
        assert_holds(place->memory, "wal/segment", texts[i]);
        g_assert_true(store_remove(place->memory, "wal/segment", NULL));
    }
}

static void a_put_that_lost_to_another_exists(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const others[] = { "them", "longer than mine", "min", "" };

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(
            store_put(place->memory, "wal/segment", others[i], strlen(others[i]), false, NULL));
        fail_calls(place, CALL_PUT, 1, BS_ERROR_TRANSIENT);
        g_assert_false(put_if_absent(place, "mine", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
        assert_holds(place->memory, "wal/segment", others[i]);
    }
}

static void what_existed_before_the_first_try_exists(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(put_if_absent(place, "mine", NULL));
    g_assert_false(put_if_absent(place, "mine", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

static void the_comparison_is_tried_again(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    // not readable for the moment; gone for the moment; not ours to read
    static const struct {
        int code;
        bool want;
    } cases[] = {
        { BS_ERROR_TRANSIENT, true },
        { BS_ERROR_NOT_FOUND, true },
        { BS_ERROR_DENIED, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        FlakyPlan plan = { .call = CALL_GET_WHOLE, .at = 1, .n = 1, .code = cases[i].code };
        g_autoptr(Store) memory = memory_store_new();
        g_autoptr(Store) reading = flaky_store_new(memory);
        Store *writing = flaky_store_new(reading);
        g_autoptr(Store) store = retry_store_new(writing, &place->policy);
        g_autoptr(GError) error = NULL;

        flaky_store_plan(reading, &plan);
        plan = (FlakyPlan){ .call = CALL_PUT, .at = 1, .n = 1, .code = BS_ERROR_TRANSIENT };
        plan.how = FLAKY_APPLY;
        flaky_store_plan(writing, &plan);
        g_assert_cmpint(store_put(store, "k", "v", 1, true, &error), ==, cases[i].want);
        if (!cases[i].want)
            g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

/* ---- listings that fail half-way ---- */

#define LISTED 101

static void put_many(Store *store)
{
    for (unsigned i = 0; i < LISTED; i++) {
        g_autofree char *key = g_strdup_printf("data/%u", i);

        g_assert_true(store_put(store, key, "x", 1, false, NULL));
    }
}

static bool note_once(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_assert_true(g_hash_table_add(user, g_strdup(object->key)));
    return true;
}

static void a_listing_tells_each_object_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (unsigned failures = 0; failures < 4; failures++) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GError) error = NULL;

        put_many(place->memory);
        lose_answers(place, CALL_LIST, failures);
        if (failures == 0)
            flaky_store_plan(place->flaky, NULL);
        g_assert_true(store_list(place->store, "data/", note_once, seen, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(g_hash_table_size(seen), ==, LISTED);
        g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_LIST), ==, failures + 1);
    }
}

/* Tells what is there now, but not what came since it was last asked. */
static bool add_while_listing(const StoreObject *object, void *user, GError **error)
{
    Place *place = user;

    return store_put(place->memory, "data/new", "x", 1, false, error) &&
           note_once(object, place->policy.user, error);
}

static void a_later_try_tells_what_is_new(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Place adding = { .memory = place->memory, .policy.user = seen };

    put_many(place->memory);
    lose_answers(place, CALL_LIST, 1);
    g_assert_true(store_list(place->store, "data/", add_while_listing, &adding, NULL));
    g_assert_cmpuint(g_hash_table_size(seen), ==, LISTED + 1);
}

static bool fail_for_now(G_GNUC_UNUSED const StoreObject *object, void *user, GError **error)
{
    ++*(unsigned *)user;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_TRANSIENT, "not now");
    return false;
}

static void what_a_callback_says_is_final(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    unsigned n = 0;

    put_many(place->memory);
    flaky_store_plan(place->flaky, NULL);
    g_assert_false(store_list(place->store, "data/", fail_for_now, &n, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_LIST), ==, 1);
}

static bool count_key(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_assert_cmpstr(object->key, ==, "data/twice");
    ++*(unsigned *)user;
    return true;
}

static void leftovers_of_one_key_are_all_told(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    char *dir = tempdir_new();
    g_autoptr(Store) local = local_store_new(dir, true);
    Store *flaky = flaky_store_new(local);
    g_autoptr(Store) store = retry_store_new(flaky, &place->policy);
    FlakyPlan plan = {
        .call = CALL_LIST, .at = 1, .n = 2, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY
    };
    unsigned n = 0;

    tempdir_write(dir, "data/twice-tmp-1", "x", 1);
    tempdir_write(dir, "data/twice-tmp-2", "x", 1);
    flaky_store_plan(flaky, &plan);
    g_assert_true(store_list_unfinished(store, "data/", count_key, &n, NULL));
    g_assert_cmpuint(n, ==, 2);
    tempdir_remove(dir);
}

/* ---- how long ---- */

static int64_t pause_ms(const Place *place, unsigned n)
{
    return g_array_index(place->pauses_ms, int64_t, n);
}

static void pauses_double_up_to_a_minute(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const int64_t longest_ms[] = { 500,   1000,  2000,  4000,  8000,
                                          16000, 32000, 60000, 60000, 60000 };
    unsigned shorter = 0;

    for (unsigned round = 0; round < 20; round++) {
        set_deadline(place, 0);
        fail_calls(place, CALL_STAT, 0, BS_ERROR_TRANSIENT);
        g_assert_false(stat_it(place, NULL));
        g_assert_cmpuint(place->pauses_ms->len, >, G_N_ELEMENTS(longest_ms));
        for (unsigned i = 0; i < G_N_ELEMENTS(longest_ms); i++) {
            g_assert_cmpint(pause_ms(place, i), >=, longest_ms[i] / 2);
            g_assert_cmpint(pause_ms(place, i), <=, longest_ms[i]);
            shorter += pause_ms(place, i) < longest_ms[i] * 3 / 4;
        }
    }
    // about half of them; never all or none in 200
    g_assert_cmpuint(shorter, >, 20);
    g_assert_cmpuint(shorter, <, 180);
}

static void the_deadline_ends_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        int64_t deadline_ms, want_ms;
    } cases[] = { { 0, DEADLINE_MS }, { 10 * SECOND_MS, 10 * SECOND_MS }, { 3, 3 }, { -1, 0 } };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        int64_t started_ms = clock_monotonic_ms(), spent_ms;
        g_autoptr(GError) error = NULL;
        g_autofree char *begins = NULL;
        unsigned tries;

        set_deadline(place, cases[i].deadline_ms);
        fail_calls(place, CALL_STAT, 0, BS_ERROR_TRANSIENT);
        g_assert_false(stat_it(place, &error));
        spent_ms = clock_monotonic_ms() - started_ms;
        tries = flaky_store_calls(place->flaky, CALL_STAT);
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_assert_cmpint(spent_ms, >=, cases[i].want_ms);
        g_assert_cmpint(spent_ms, <, cases[i].want_ms + SECOND_MS); // this machine may be busy
        g_assert_cmpuint(tries, ==, place->pauses_ms->len + 1);
        if (tries > 1)
            begins = g_strdup_printf("given up after %u tries in %d s: k: failed", tries,
                                     (int)(cases[i].want_ms + 500) / 1000);
        g_assert_true(g_str_has_prefix(error->message, begins ? begins : "k: failed"));
    }
}

static void what_the_server_asks_for_is_obeyed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = { .call = CALL_STAT, .at = 1, .n = 2, .code = BS_ERROR_TRANSIENT };
    static const int64_t asked_ms[] = { 1, 3 * SECOND_MS, 5 * MINUTE_MS };

    g_assert_true(store_put(place->memory, "k", "v", 1, false, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(asked_ms); i++) {
        plan.wait_ms = asked_ms[i];
        flaky_store_plan(place->flaky, &plan);
        g_array_set_size(place->pauses_ms, 0);
        g_assert_true(stat_it(place, NULL));
        g_assert_cmpuint(place->pauses_ms->len, ==, 2);
        for (unsigned n = 0; n < 2; n++) {
            g_assert_cmpint(pause_ms(place, n), >=, asked_ms[i]);
            g_assert_cmpint(pause_ms(place, n), <=, asked_ms[i] + SECOND_MS);
        }
    }
}

static void but_not_beyond_the_deadline(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    FlakyPlan plan = {
        .call = CALL_STAT, .at = 1, .code = BS_ERROR_TRANSIENT, .wait_ms = INT64_MAX
    };
    int64_t started_ms = clock_monotonic_ms();

    flaky_store_plan(place->flaky, &plan);
    g_assert_false(stat_it(place, NULL));
    g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_STAT), ==, 2);
    g_assert_cmpint(clock_monotonic_ms() - started_ms, <, DEADLINE_MS + SECOND_MS);
}

static void a_store_that_is_gone_is_waited_for_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    // "no such object" is an answer, too
    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(GError) error = NULL;
        int64_t started_ms;

        fail_calls(place, CALL_ANY, 0, BS_ERROR_TRANSIENT);
        g_assert_false(stat_it(place, NULL));
        started_ms = clock_monotonic_ms();
        fail_calls(place, CALL_ANY, 0, BS_ERROR_TRANSIENT);
        g_assert_false(store_remove(place->store, "k", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
        g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_ANY), ==, 1);
        g_assert_cmpint(clock_monotonic_ms() - started_ms, <, SECOND_MS);
        flaky_store_plan(place->flaky, NULL);
        if (round == 0)
            g_assert_false(stat_it(place, NULL));
        else
            g_assert_true(store_remove(place->store, "k", NULL));
        fail_calls(place, CALL_ANY, 2, BS_ERROR_TRANSIENT);
        g_assert_true(store_remove(place->store, "k", NULL));
        g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_ANY), ==, 3);
    }
}

/* ---- cancel ---- */

static void cancel_ends_a_pause(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int64_t started_ms = clock_monotonic_ms();

    place->cancels = true;
    fail_calls(place, CALL_STAT, 0, BS_ERROR_TRANSIENT);
    g_assert_false(stat_it(place, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_nonnull(strstr(error->message, "failed for the test")); // why it had to pause
    g_assert_cmpuint(flaky_store_calls(place->flaky, CALL_STAT), ==, 1);
    g_assert_cmpint(clock_monotonic_ms() - started_ms, <, SECOND_MS);
}

static void after_a_cancel_calls_are_made_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    cancel_set(place->cancel);
    g_assert_true(store_put(place->store, "k", "v", 1, false, NULL));
    fail_calls(place, CALL_STAT, 1, BS_ERROR_TRANSIENT);
    g_assert_false(stat_it(place, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpuint(place->pauses_ms->len, ==, 0);
    g_assert_true(stat_it(place, NULL));
}

/* ---- the suite ---- */

static Store *make_over_memory(G_GNUC_UNUSED void **ret_place)
{
    return retry_store_new(memory_store_new(), &(RetryPolicy){ 0 });
}

static void discard(Store *store, G_GNUC_UNUSED void *place)
{
    store_free(store);
}

/* A store for each kind of call, of which every third one loses its answer. */
static Store *make_over_flaky(void **ret_place)
{
    static const StoreCall kinds[] = { CALL_PUT,  CALL_GET,  CALL_GET_WHOLE,
                                       CALL_LIST, CALL_STAT, CALL_REMOVE };
    GPtrArray *chain = g_ptr_array_new_with_free_func((GDestroyNotify)store_free);
    Store *store = memory_store_new();

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        FlakyPlan plan = {
            .call = kinds[i], .at = 2, .every = 3, .code = BS_ERROR_TRANSIENT, .how = FLAKY_APPLY
        };

        g_ptr_array_add(chain, store);
        store = flaky_store_new(store);
        flaky_store_plan(store, &plan);
    }
    *ret_place = chain;
    return retry_store_new(store, &(RetryPolicy){ 0 });
}

static void discard_chain(Store *store, void *place)
{
    store_free(store);
    g_ptr_array_unref(place);
}

#define ADD(fact)                                                                                  \
    g_test_add("/store/retry/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    static const StoreMaker makers[] = {
        { .name = "retry-memory", .open = make_over_memory, .close = discard, .n_listed = 3000 },
        { .name = "retry-flaky", .open = make_over_flaky, .close = discard_chain, .n_listed = 300 },
    };

    g_test_init(&argc, &argv, NULL);
    clock_set((Timestamp){ .sec = 1700000000 }); // nobody sleeps
    for (size_t i = 0; i < G_N_ELEMENTS(makers); i++)
        store_conformance_add(&makers[i]);
    ADD(transient_failures_are_tried_again);
    ADD(other_failures_are_final);
    ADD(a_stream_is_not_read_twice);
    ADD(a_put_that_had_arrived_is_done);
    ADD(a_put_that_lost_to_another_exists);
    ADD(what_existed_before_the_first_try_exists);
    ADD(the_comparison_is_tried_again);
    ADD(a_listing_tells_each_object_once);
    ADD(a_later_try_tells_what_is_new);
    ADD(what_a_callback_says_is_final);
    ADD(leftovers_of_one_key_are_all_told);
    ADD(pauses_double_up_to_a_minute);
    ADD(the_deadline_ends_it);
    ADD(what_the_server_asks_for_is_obeyed);
    ADD(but_not_beyond_the_deadline);
    ADD(a_store_that_is_gone_is_waited_for_once);
    ADD(cancel_ends_a_pause);
    ADD(after_a_cancel_calls_are_made_once);
    return g_test_run();
}
