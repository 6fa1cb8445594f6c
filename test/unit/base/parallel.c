/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#include "base/error.h"
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define ITEMS 1000

typedef struct {
    _Atomic unsigned next, calls, done;
    _Atomic bool here; /* the caller's thread was one of them */
    pthread_t caller;
    unsigned taken[ITEMS];
    unsigned wait_for; /* so many calls at once, or the test hangs */
} Work;

static void work(void *user)
{
    Work *items = user;
    unsigned i;

    atomic_fetch_add(&items->calls, 1);
    if (pthread_equal(pthread_self(), items->caller))
        atomic_store(&items->here, true);
    while (atomic_load(&items->calls) < items->wait_for)
        usleep(100);
    while ((i = atomic_fetch_add(&items->next, 1)) < ITEMS)
        items->taken[i]++;
    atomic_fetch_add(&items->done, 1);
}

static void all_threads_work_at_once_and_end(void)
{
    static const struct {
        unsigned n, want;
    } cases[] = { { 0, 1 }, { 1, 1 }, { 2, 2 }, { 5, 5 }, { PARALLEL_MAX + 9, PARALLEL_MAX } };

    for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
        Work items = { .caller = pthread_self(), .wait_for = cases[c].want };

        g_test_message("%u threads", cases[c].n);
        parallel_run(cases[c].n, work, &items);
        g_assert_cmpuint(items.calls, ==, cases[c].want);
        g_assert_cmpuint(items.done, ==, cases[c].want);
        g_assert_true(items.here);
        for (unsigned i = 0; i < ITEMS; i++)
            g_assert_cmpuint(items.taken[i], ==, 1);
    }
}

static void count_item(size_t i, void *user)
{
    Work *items = user;

    items->taken[i]++;
    atomic_fetch_add(&items->done, 1);
}

static void each_item_is_worked_on_once(void)
{
    static const struct {
        unsigned threads, n;
    } cases[] = { { 0, 3 }, { 1, 3 }, { 8, 0 }, { 8, 3 }, { 8, ITEMS } };

    for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
        Work items = { .done = 0 };

        g_test_message("%u items, %u threads", cases[c].n, cases[c].threads);
        parallel_each(cases[c].threads, cases[c].n, count_item, &items);
        g_assert_cmpuint(items.done, ==, cases[c].n);
        for (unsigned i = 0; i < cases[c].n; i++)
            g_assert_cmpuint(items.taken[i], ==, 1);
    }
}

static void there_is_a_processor(void)
{
    g_assert_cmpuint(parallel_cores(), >=, 1);
}

typedef struct {
    size_t bad; /* this one and all behind it fail */
    _Atomic size_t calls, failures;
} Trying;

static bool try_item(size_t i, void *user, GError **error)
{
    Trying *trying = user;

    atomic_fetch_add(&trying->calls, 1);
    if (i < trying->bad)
        return true;
    atomic_fetch_add(&trying->failures, 1);
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "item %zu", i);
    return false;
}

static void after_a_failure_nothing_is_begun(void)
{
    static const struct {
        unsigned threads;
        size_t n, bad;
    } cases[] = {
        { 1, 0, 0 },  { 4, 0, 0 },      { 1, 10, 10 },    { 4, 1000, 1000 },
        { 1, 10, 0 }, { 1, 1000, 500 }, { 4, 1000, 500 }, { 4, 100000, 0 },
    };

    for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
        Trying trying = { .bad = cases[c].bad };
        g_autoptr(GError) error = NULL;
        bool ok = parallel_try(cases[c].threads, cases[c].n, try_item, &trying, &error);

        g_test_message("%u threads, %zu items, from %zu on they fail", cases[c].threads, cases[c].n,
                       cases[c].bad);
        g_assert_cmpint(ok, ==, cases[c].bad == cases[c].n);
        g_assert_cmpint(ok, ==, error == NULL);
        // each thread ends with its own first failure at the latest
        g_assert_cmpuint(trying.failures, <=, cases[c].threads);
        g_assert_cmpuint(trying.calls, ==, cases[c].bad + trying.failures);
        if (!ok)
            g_assert_true(g_str_has_prefix(error->message, "item "));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parallel/run", all_threads_work_at_once_and_end);
    g_test_add_func("/parallel/each", each_item_is_worked_on_once);
    g_test_add_func("/parallel/cores", there_is_a_processor);
    g_test_add_func("/parallel/try", after_a_failure_nothing_is_begun);
    return g_test_run();
}
