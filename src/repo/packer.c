/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "repo/packing.h"
#include <unistd.h>

/* ---- failure ---- */

void packer_fail(Packer *packer, GError *failure)
{
    pthread_mutex_lock(&packer->mutex);
    if (!packer->failure)
        packer->failure = failure;
    else
        g_error_free(failure);
    atomic_store(&packer->failed, true);
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
}

bool packer_check(Packer *packer, GError **error)
{
    GError *cancelled = NULL;

    if (!packer_has_failed(packer) && !cancel_check(packer->cancel, &cancelled))
        packer_fail(packer, cancelled);
    if (!packer_has_failed(packer))
        return true;
    pthread_mutex_lock(&packer->mutex);
    g_propagate_error(error, g_error_copy(packer->failure));
    pthread_mutex_unlock(&packer->mutex);
    return false;
}

/* ---- workers ---- */

static void run_pieces(Packer *packer, BlobWriter *writer, Batch *batch)
{
    for (unsigned i = 0; i < batch->n && !packer_has_failed(packer); i++) {
        GError *failure = NULL;
        Id id;

        if (packer_store_blob(packer, writer, batch->pieces[i].type,
                              batch->data + batch->pieces[i].start, batch->pieces[i].len, &id,
                              &failure))
            batch->pieces[i].done(batch->pieces[i].user, batch->pieces[i].index, &id);
        else
            packer_fail(packer, failure);
    }
}

static void batch_back(Packer *packer, Batch *batch, bool was_out)
{
    batch->n = 0;
    batch->len = 0;
    pthread_mutex_lock(&packer->mutex);
    g_ptr_array_add(packer->free_batches, batch);
    if (was_out)
        packer->batches_out--;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
}

static void *worker_main(void *arg)
{
    Packer *packer = arg;
    g_autoptr(BlobWriter) writer = blob_writer_new(packer->repo);
    Batch *batch;

    while ((batch = queue_pop(packer->work))) {
        run_pieces(packer, writer, batch);
        batch_back(packer, batch, true);
    }
    return NULL;
}

Batch *packer_take(Packer *packer)
{
    Batch *batch = NULL;

    if (!packer_check(packer, NULL))
        return NULL;
    pthread_mutex_lock(&packer->mutex);
    while (packer->free_batches->len == 0 && !packer->failure)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    if (!packer->failure)
        batch = g_ptr_array_steal_index(packer->free_batches, packer->free_batches->len - 1);
    pthread_mutex_unlock(&packer->mutex);
    // the last one given back comes first: a small run makes few of those it may have
    if (batch && !batch->data)
        batch->data = g_malloc(PACKER_BATCH_SIZE);
    return batch;
}

void packer_push(Packer *packer, Batch *batch)
{
    pthread_mutex_lock(&packer->mutex);
    packer->batches_out++;
    pthread_mutex_unlock(&packer->mutex);
    (void)queue_push(packer->work, batch); // has room for every batch there is
}

void packer_give_back(Packer *packer, Batch *batch)
{
    batch_back(packer, batch, false);
}

/* ---- ends ---- */

bool packer_drain(Packer *packer, GError **error)
{
    pthread_mutex_lock(&packer->mutex);
    while (packer->batches_out > 0)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    pthread_mutex_unlock(&packer->mutex);
    return packer_check(packer, error);
}

static void send_open_packs(Packer *packer)
{
    for (unsigned type = 0; type < 2; type++) {
        pthread_mutex_lock(&packer->open_mutex[type]);
        packer_let_go(packer, g_steal_pointer(&packer->open[type]));
        pthread_mutex_unlock(&packer->open_mutex[type]);
    }
}

static void wait_for_uploads(Packer *packer)
{
    pthread_mutex_lock(&packer->mutex);
    while (packer->packs_out > 0)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    pthread_mutex_unlock(&packer->mutex);
}

bool packer_finish(Packer *packer, GError **error)
{
    if (!packer_drain(packer, error))
        return false;
    send_open_packs(packer);
    wait_for_uploads(packer);
    if (!packer_check(packer, error))
        return false;
    return packer_save_pending_index(packer, error);
}

static void stop_threads(Packer *packer)
{
    if (packer->stopped)
        return;
    packer->stopped = true;
    queue_close(packer->work);
    for (unsigned i = 0; i < packer->plan.workers; i++)
        pthread_join(packer->workers[i], NULL);
    send_open_packs(packer);
    queue_close(packer->uploads);
    for (unsigned i = 0; i < packer->plan.uploads; i++)
        pthread_join(packer->uploaders[i], NULL);
}

bool packer_salvage(Packer *packer, GError **error)
{
    if (!packer_has_failed(packer))
        packer_fail(packer, g_error_new(BS_ERROR, BS_ERROR_CANCELLED, "given up"));
    stop_threads(packer);
    return packer->dry_run || packer_save_pending_index(packer, error);
}

void packer_stats(const Packer *packer, PackerStats *ret_stats)
{
    ret_stats->data_blobs = atomic_load(&packer->data_blobs);
    ret_stats->tree_blobs = atomic_load(&packer->tree_blobs);
    ret_stats->data_added = atomic_load(&packer->data_added);
    ret_stats->data_added_packed = atomic_load(&packer->data_added_packed);
}

/* ---- making and freeing ---- */

static void make_plan(Packer *packer, unsigned workers)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    packer->plan =
        packer_plan(workers ? workers : (unsigned)MAX(cores, 1),
                    repo_store(packer->repo)->connections, repo_options(packer->repo)->pack_size);
}

static void make_buffers(Packer *packer)
{
    unsigned batches = packer->plan.batches, packs = 2 + packer->plan.uploads;

    packer->free_batches = g_ptr_array_sized_new(batches);
    packer->all_batches = g_ptr_array_sized_new(batches);
    for (unsigned i = 0; i < batches; i++) {
        Batch *batch = g_new0(Batch, 1);

        g_ptr_array_add(packer->free_batches, batch);
        g_ptr_array_add(packer->all_batches, batch);
    }
    packer->work = queue_new(batches);
    packer->pack_buffers = buffers_new(packs, packer->plan.pack_capacity);
    packer->uploads = queue_new(packs);
}

static void start_threads(Packer *packer)
{
    packer->uploaders = g_new0(pthread_t, packer->plan.uploads);
    for (unsigned i = 0; i < packer->plan.workers; i++)
        g_assert(pthread_create(&packer->workers[i], NULL, worker_main, packer) == 0);
    for (unsigned i = 0; i < packer->plan.uploads; i++)
        g_assert(pthread_create(&packer->uploaders[i], NULL, packer_uploader_main, packer) == 0);
}

Packer *packer_new(Repo *repo, const PackerOptions *options, const Cancel *cancel)
{
    Packer *packer = g_new0(Packer, 1);

    g_assert(repo_index(repo));
    packer->repo = repo;
    packer->index = options->claims ? options->claims : repo_index(repo);
    packer->cancel = cancel;
    packer->dry_run = options->dry_run;
    packer->still_locked = options->still_locked;
    packer->user = options->user;
    make_plan(packer, options->workers);
    pthread_mutex_init(&packer->mutex, NULL);
    pthread_cond_init(&packer->changed, NULL);
    for (unsigned type = 0; type < 2; type++)
        pthread_mutex_init(&packer->open_mutex[type], NULL);
    packer->idle_writers = g_ptr_array_new();
    packer->pending_index = index_text_new();
    packer->pending_packs = arrivals_new();
    packer->pending_since_ms = clock_monotonic_ms();
    make_buffers(packer);
    start_threads(packer);
    return packer;
}

void packer_free(Packer *packer)
{
    if (!packer)
        return;
    if (!packer->stopped) {
        atomic_store(&packer->failed, true); // what is still on its way is dropped
        stop_threads(packer);
    }
    for (unsigned i = 0; i < packer->all_batches->len; i++) {
        Batch *batch = g_ptr_array_index(packer->all_batches, i);

        g_free(batch->data);
        g_free(batch);
    }
    g_ptr_array_unref(packer->all_batches);
    g_ptr_array_unref(packer->free_batches);
    g_ptr_array_set_free_func(packer->idle_writers, (GDestroyNotify)blob_writer_free);
    g_ptr_array_unref(packer->idle_writers);
    index_text_free(packer->pending_index);
    arrivals_free(packer->pending_packs);
    buffers_free(packer->pack_buffers);
    queue_free(packer->work);
    queue_free(packer->uploads);
    g_clear_error(&packer->failure);
    pthread_mutex_destroy(&packer->mutex);
    pthread_cond_destroy(&packer->changed);
    for (unsigned type = 0; type < 2; type++)
        pthread_mutex_destroy(&packer->open_mutex[type]);
    g_free(packer->uploaders);
    g_free(packer);
}
