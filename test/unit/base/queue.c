/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define PUSHERS 3
#define POPPERS 4
#define ITEMS   2000 /* per pusher */

static void first_in_first_out_around_the_end(void)
{
    Queue *queue = queue_new(3);
    size_t next = 1;

    for (size_t i = 1; i <= 10; i++) {
        g_assert_true(queue_push(queue, GSIZE_TO_POINTER(2 * i - 1)));
        g_assert_true(queue_push(queue, GSIZE_TO_POINTER(2 * i)));
        g_assert_cmpuint(GPOINTER_TO_SIZE(queue_pop(queue)), ==, next++);
        g_assert_cmpuint(GPOINTER_TO_SIZE(queue_pop(queue)), ==, next++);
    }
    g_assert_null(queue_try_pop(queue));
    queue_free(queue);
}

static void closed_it_refuses_and_drains(void)
{
    Queue *queue = queue_new(2);
    int item;

    g_assert_true(queue_push(queue, &item));
    queue_close(queue);
    g_assert_false(queue_push(queue, &item));
    g_assert_true(queue_pop(queue) == &item);
    g_assert_null(queue_pop(queue));
    g_assert_null(queue_pop(queue));
    queue_free(queue);
}

typedef struct {
    Queue *queue;
    atomic_int pushed;
    bool taken; /* of the last push */
} Waiter;

static void *push_three(void *data)
{
    Waiter *waiter = data;

    for (int i = 0; i < 3; i++) {
        waiter->taken = queue_push(waiter->queue, waiter);
        atomic_fetch_add(&waiter->pushed, 1);
    }
    return NULL;
}

static void wait_for(atomic_int *value, int want)
{
    while (atomic_load(value) < want)
        (void)usleep(1000);
}

static void full_it_waits_until_popped_or_closed(void)
{
    Waiter waiter = { .queue = queue_new(1) };
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, push_three, &waiter), ==, 0);
    wait_for(&waiter.pushed, 1);
    (void)usleep(20000);
    g_assert_cmpint(atomic_load(&waiter.pushed), ==, 1);
    g_assert_nonnull(queue_pop(waiter.queue));
    wait_for(&waiter.pushed, 2);
    (void)usleep(20000);
    g_assert_cmpint(atomic_load(&waiter.pushed), ==, 2);
    queue_close(waiter.queue);
    pthread_join(thread, NULL);
    g_assert_false(waiter.taken);
    queue_free(waiter.queue);
}

static void *pop_one(void *queue)
{
    return queue_pop(queue);
}

static void empty_it_waits_until_closed(void)
{
    Queue *queue = queue_new(1);
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, pop_one, queue), ==, 0);
    (void)usleep(20000);
    queue_close(queue);
    for (int i = 0; i < 2; i++) {
        void *item = queue;

        pthread_join(threads[i], &item);
        g_assert_null(item);
    }
    queue_free(queue);
}

typedef struct {
    Queue *queue;
    atomic_int *seen; /* how often each item came out */
    size_t first;
} Worker;

static void *push_items(void *data)
{
    Worker *worker = data;

    for (size_t i = 0; i < ITEMS; i++)
        g_assert_true(queue_push(worker->queue, &worker->seen[worker->first + i]));
    return NULL;
}

static void *pop_items(void *data)
{
    atomic_int *item;

    while ((item = queue_pop(data)))
        atomic_fetch_add(item, 1);
    return NULL;
}

static void every_item_comes_out_once(void)
{
    g_autofree atomic_int *seen = g_new0(atomic_int, PUSHERS * ITEMS);
    Queue *queue = queue_new(7);
    Worker workers[PUSHERS];
    pthread_t pushers[PUSHERS], poppers[POPPERS];

    for (size_t i = 0; i < POPPERS; i++)
        g_assert_cmpint(pthread_create(&poppers[i], NULL, pop_items, queue), ==, 0);
    for (size_t i = 0; i < PUSHERS; i++) {
        workers[i] = (Worker){ .queue = queue, .seen = seen, .first = i * ITEMS };
        g_assert_cmpint(pthread_create(&pushers[i], NULL, push_items, &workers[i]), ==, 0);
    }
    for (size_t i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    queue_close(queue);
    for (size_t i = 0; i < POPPERS; i++)
        pthread_join(poppers[i], NULL);
    for (size_t i = 0; i < PUSHERS * ITEMS; i++)
        g_assert_cmpint(atomic_load(&seen[i]), ==, 1);
    queue_free(queue);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/order", first_in_first_out_around_the_end);
    g_test_add_func("/queue/close", closed_it_refuses_and_drains);
    g_test_add_func("/queue/full", full_it_waits_until_popped_or_closed);
    g_test_add_func("/queue/empty", empty_it_waits_until_closed);
    g_test_add_func("/queue/many", every_item_comes_out_once);
    return g_test_run();
}
