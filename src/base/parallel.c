/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct {
    void (*work)(void *user);
    void *user;
} Call;

static void *thread_main(void *arg)
{
    const Call *call = arg;

    call->work(call->user);
    return NULL;
}

void parallel_run(unsigned n, void (*work)(void *user), void *user)
{
    pthread_t threads[PARALLEL_MAX - 1];
    Call call = { work, user };
    unsigned others = 0;

    while (others + 1 < MIN(n, PARALLEL_MAX) &&
           pthread_create(&threads[others], NULL, thread_main, &call) == 0)
        others++;
    work(user);
    while (others > 0)
        pthread_join(threads[--others], NULL);
}

typedef struct {
    size_t count;
    _Atomic size_t next;
    void (*each)(size_t i, void *user);
    void *user;
} Items;

static void work_on_items(void *user)
{
    Items *items = user;
    size_t i;

    while ((i = atomic_fetch_add(&items->next, 1)) < items->count)
        items->each(i, items->user);
}

void parallel_each(unsigned threads, size_t count, void (*each)(size_t i, void *user), void *user)
{
    Items items = { .count = count, .each = each, .user = user };

    parallel_run((unsigned)MIN(threads, count), work_on_items, &items);
}

typedef struct {
    size_t count;
    _Atomic size_t next;
    bool (*each)(size_t i, void *user, GError **error);
    void *user;
    _Atomic(GError *) failure;
} Tries;

static void try_items(void *user)
{
    Tries *tries = user;
    GError *failure = NULL, *none = NULL;
    size_t i;

    while (!atomic_load(&tries->failure) &&
           (i = atomic_fetch_add(&tries->next, 1)) < tries->count &&
           tries->each(i, tries->user, &failure))
        ;
    if (failure && !atomic_compare_exchange_strong(&tries->failure, &none, failure))
        g_error_free(failure);
}

bool parallel_try(unsigned threads, size_t count,
                  bool (*each)(size_t i, void *user, GError **error), void *user, GError **error)
{
    Tries tries = { .count = count, .each = each, .user = user };

    parallel_run((unsigned)MIN(threads, count), try_items, &tries);
    if (!tries.failure)
        return true;
    g_propagate_error(error, tries.failure);
    return false;
}

unsigned parallel_cores(void)
{
    return (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}
