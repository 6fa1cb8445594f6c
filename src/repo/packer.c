/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/packer.h"

#include "base/buffers.h"
#include "base/error.h"
#include "base/queue.h"
#include "codec/hash.h"
#include "repo/arrival.h"
#include "repo/blobwriter.h"
#include "repo/openpack.h"
#include "repo/pack.h"
#include "repo/packerplan.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define INDEX_FULL_BLOBS  50000 /* as restic: a long backup leaves usable pieces */
#define INDEX_FULL_AGE_MS (10 * 60 * 1000)

struct Packer {
    Repo *repo;
    Index *index;
    const Cancel *cancel;
    bool dry_run;

    pthread_mutex_t mutex; /* batches, idle writers, index text, failure, counts below */
    pthread_cond_t changed;
    GPtrArray *free_batches, *all_batches, *idle_writers;
    unsigned batches_out; /* handed over, not yet finished */
    unsigned packs_out;   /* buffers with the workers or the uploaders */
    IndexText *pending_index;
    Arrivals *pending_packs; /* that it names */
    int64_t pending_since_ms;
    GError *failure;
    atomic_bool failed;

    Buffers *pack_buffers;
    PackerPlan plan;
    pthread_mutex_t open_mutex[2]; /* one per blob type, around reserve only */
    OpenPack *open[2];

    Queue *work, *uploads;
    bool stopped;
    pthread_t workers[PACKER_WORKERS], *uploaders;

    _Atomic uint64_t data_blobs, tree_blobs, data_added, data_added_packed;
};

/* ---- failure ---- */

static void packer_fail(Packer *packer, GError *failure)
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

static bool has_failed(Packer *packer)
{
    return atomic_load(&packer->failed);
}

bool packer_check(Packer *packer, GError **error)
{
    GError *cancelled = NULL;

    if (!has_failed(packer) && !cancel_check(packer->cancel, &cancelled))
        packer_fail(packer, cancelled);
    if (!has_failed(packer))
        return true;
    pthread_mutex_lock(&packer->mutex);
    g_propagate_error(error, g_error_copy(packer->failure));
    pthread_mutex_unlock(&packer->mutex);
    return false;
}

/* ---- index objects ---- */

static bool save_index(Packer *packer, IndexText *text, const Arrivals *packs, GError **error)
{
    uint64_t n_there = index_n_packs(repo_index(packer->repo));
    size_t len;
    const char *json = index_text_finish(text, &len);
    Id id;

    if (!arrivals_prove(packs, repo_store(packer->repo), n_there, packer->cancel, error))
        return false;
    if (!repo_save(packer->repo, FILE_INDEX, json, len, &id, error)) {
        g_prefix_error(error, "write index: ");
        return false;
    }
    return true;
}

/* The text to write now and its packs, if it is full or old; otherwise NULL. Under the mutex. */
static IndexText *take_full_index(Packer *packer, Arrivals **ret_packs)
{
    bool full = index_text_n_blobs(packer->pending_index) >= INDEX_FULL_BLOBS;
    bool old = clock_monotonic_ms() - packer->pending_since_ms >= INDEX_FULL_AGE_MS;
    IndexText *text = NULL;

    if (full || old) {
        text = packer->pending_index;
        *ret_packs = packer->pending_packs;
        packer->pending_index = index_text_new();
        packer->pending_packs = arrivals_new();
        packer->pending_since_ms = clock_monotonic_ms();
    }
    return text;
}

static bool pack_is_durable(Packer *packer, const OpenPack *pack, const Id *id, GError **error)
{
    const PackBlob *blobs = (const PackBlob *)(void *)pack->blobs->data;
    g_autoptr(GError) failure = NULL;
    g_autoptr(Arrivals) packs = NULL;
    IndexText *full;
    bool saved = true;

    index_add(packer->index, id, blobs, pack->blobs->len);
    pthread_mutex_lock(&packer->mutex);
    index_text_add(packer->pending_index, id, blobs, pack->blobs->len);
    arrivals_add(packer->pending_packs, id, pack->used);
    full = take_full_index(packer, &packs);
    pthread_mutex_unlock(&packer->mutex);
    if (full)
        saved = save_index(packer, full, packs, error);
    index_text_free(full);
    return saved;
}

/* ---- upload ---- */

static bool upload(Packer *packer, OpenPack *pack, Sealer *sealer, GError **error)
{
    Store *store =
        pack->type == BLOB_TREE ? repo_tree_store(packer->repo) : repo_store(packer->repo);
    Id id;

    open_pack_seal(pack, sealer, &id);
    if (!store_put(store, file_key(FILE_PACK, &id).text, pack->bytes, pack->used, false, error)) {
        g_prefix_error(error, "write pack %s: ", id_short(&id).text);
        return false;
    }
    atomic_fetch_add(&packer->data_added_packed, pack->used);
    return pack_is_durable(packer, pack, &id, error);
}

static void pack_done(Packer *packer, OpenPack *pack)
{
    buffers_give(packer->pack_buffers, pack->bytes);
    open_pack_free(pack);
    pthread_mutex_lock(&packer->mutex);
    packer->packs_out--;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
}

static void *uploader_main(void *arg)
{
    Packer *packer = arg;
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(packer->repo));
    OpenPack *pack;

    while ((pack = queue_pop(packer->uploads))) {
        GError *failure = NULL;

        // after a failure the rest is only drained, so that nobody waits for a buffer for ever
        if (!has_failed(packer) && pack->blobs->len > 0 && !upload(packer, pack, sealer, &failure))
            packer_fail(packer, failure);
        pack_done(packer, pack);
    }
    return NULL;
}

/* ---- one blob to completion ---- */

static OpenPack *open_new_pack(Packer *packer, BlobType type)
{
    uint8_t *bytes = buffers_take(packer->pack_buffers);

    pthread_mutex_lock(&packer->mutex);
    packer->packs_out++;
    pthread_mutex_unlock(&packer->mutex);
    return open_pack_new(type, bytes, packer->plan.pack_capacity);
}

static void let_go(Packer *packer, OpenPack *pack)
{
    if (pack && open_pack_release(pack))
        (void)queue_push(packer->uploads, pack); // has room for every pack there is
}

static uint8_t *reserve(Packer *packer, BlobType type, const Id *id, size_t sealed_len,
                        size_t plain_len, bool compressed, OpenPack **ret_pack)
{
    uint8_t *place;

    pthread_mutex_lock(&packer->open_mutex[type]);
    if (packer->open[type] && !open_pack_has_room(packer->open[type], sealed_len))
        let_go(packer, g_steal_pointer(&packer->open[type]));
    if (!packer->open[type])
        packer->open[type] = open_new_pack(packer, type);
    place = open_pack_reserve(packer->open[type], id, sealed_len, plain_len, compressed);
    *ret_pack = packer->open[type];
    pthread_mutex_unlock(&packer->open_mutex[type]);
    return place;
}

/* A blob too large for the common buffers gets a pack of its own (a directory of 100,000 entries).
 */
static bool store_alone(Packer *packer, BlobWriter *writer, BlobType type, const Id *id,
                        const void *shrunk, size_t shrunk_len, bool compressed, const void *plain,
                        size_t len, GError **error)
{
    size_t sealed_len = shrunk_len + SEAL_OVERHEAD;
    size_t capacity = open_pack_capacity_for(sealed_len);
    g_autofree uint8_t *bytes = g_try_malloc(capacity);
    OpenPack *pack;
    uint8_t *place;
    bool ok;

    if (!bytes || capacity > UINT32_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "a %s blob of %zu bytes is too large for a pack", blob_type_name(type), len);
        return false;
    }
    pack = open_pack_new(type, bytes, capacity);
    place = open_pack_reserve(pack, id, sealed_len, len, compressed);
    ok = blob_writer_seal(writer, shrunk, shrunk_len, compressed, plain, len, place, error) &&
         upload(packer, pack, blob_writer_sealer(writer), error);
    open_pack_free(pack);
    return ok;
}

static void count_blob(Packer *packer, BlobType type, size_t len)
{
    atomic_fetch_add(type == BLOB_TREE ? &packer->tree_blobs : &packer->data_blobs, 1);
    atomic_fetch_add(&packer->data_added, len);
}

/* A claimed blob into the open pack. */
static bool store_claimed(Packer *packer, BlobWriter *writer, BlobType type, const Id *id,
                          const void *shrunk, size_t shrunk_len, bool compressed, const void *plain,
                          size_t len, GError **error)
{
    OpenPack *pack;
    uint8_t *place;
    bool ok;

    count_blob(packer, type, len);
    if (packer->dry_run) {
        atomic_fetch_add(&packer->data_added_packed,
                         shrunk_len + SEAL_OVERHEAD + PACK_ENTRY_COMPRESSED);
        return true;
    }
    if (open_pack_capacity_for(shrunk_len + SEAL_OVERHEAD) > packer->plan.pack_capacity)
        return store_alone(packer, writer, type, id, shrunk, shrunk_len, compressed, plain, len,
                           error);
    place = reserve(packer, type, id, shrunk_len + SEAL_OVERHEAD, len, compressed, &pack);
    ok = blob_writer_seal(writer, shrunk, shrunk_len, compressed, plain, len, place, error);
    // the failure must be known before the pack can leave
    if (!ok)
        packer_fail(packer, g_error_copy(*error));
    let_go(packer, pack);
    return ok;
}

static bool store_blob(Packer *packer, BlobWriter *writer, BlobType type, const void *plain,
                       size_t len, Id *ret_id, GError **error)
{
    const void *shrunk;
    size_t shrunk_len;
    bool compressed;

    hash_bytes(plain, len, ret_id);
    if (!index_claim(packer->index, type, ret_id))
        return true;
    shrunk = blob_writer_shrink(writer, type, plain, len, &shrunk_len, &compressed);
    return store_claimed(packer, writer, type, ret_id, shrunk, shrunk_len, compressed, plain, len,
                         error);
}

/* ---- workers ---- */

static void run_pieces(Packer *packer, BlobWriter *writer, Batch *batch)
{
    for (unsigned i = 0; i < batch->n && !has_failed(packer); i++) {
        GError *failure = NULL;
        Id id;

        if (store_blob(packer, writer, batch->pieces[i].type, batch->data + batch->pieces[i].start,
                       batch->pieces[i].len, &id, &failure))
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

static BlobWriter *borrow_writer(Packer *packer)
{
    BlobWriter *writer = NULL;

    pthread_mutex_lock(&packer->mutex);
    if (packer->idle_writers->len > 0)
        writer = g_ptr_array_steal_index(packer->idle_writers, packer->idle_writers->len - 1);
    pthread_mutex_unlock(&packer->mutex);
    return writer ? writer : blob_writer_new(packer->repo);
}

/* The writer goes back; a failure becomes the packer's. */
static bool return_writer(Packer *packer, BlobWriter *writer, bool ok, GError *failure,
                          GError **error)
{
    pthread_mutex_lock(&packer->mutex);
    g_ptr_array_add(packer->idle_writers, writer);
    pthread_mutex_unlock(&packer->mutex);
    if (!ok) {
        packer_fail(packer, g_error_copy(failure));
        g_propagate_error(error, failure);
    }
    return ok;
}

bool packer_store(Packer *packer, BlobType type, const void *data, size_t len, Id *ret_id,
                  GError **error)
{
    BlobWriter *writer = borrow_writer(packer);
    GError *failure = NULL;
    bool ok = store_blob(packer, writer, type, data, len, ret_id, &failure);

    return return_writer(packer, writer, ok, failure, error);
}

bool packer_store_shrunk(Packer *packer, BlobType type, const Id *id, const void *shrunk,
                         size_t shrunk_len, bool compressed, const void *plain, size_t len,
                         GError **error)
{
    BlobWriter *writer;
    GError *failure = NULL;
    bool ok;

    if (!index_claim(packer->index, type, id))
        return true;
    writer = borrow_writer(packer);
    if (compressed && repo_version(packer->repo) < 2) {
        shrunk = plain; // version 1 knows no compression
        shrunk_len = len;
        compressed = false;
    } else if (!compressed) {
        shrunk = blob_writer_shrink(writer, type, plain, len, &shrunk_len, &compressed);
    }
    ok = store_claimed(packer, writer, type, id, shrunk, shrunk_len, compressed, plain, len,
                       &failure);
    return return_writer(packer, writer, ok, failure, error);
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
        let_go(packer, g_steal_pointer(&packer->open[type]));
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

static bool save_pending_index(Packer *packer, GError **error)
{
    IndexText *text = packer->pending_index;
    bool ok =
        index_text_n_blobs(text) == 0 || save_index(packer, text, packer->pending_packs, error);

    index_text_free(text);
    arrivals_free(packer->pending_packs);
    packer->pending_index = index_text_new();
    packer->pending_packs = arrivals_new();
    return ok;
}

bool packer_finish(Packer *packer, GError **error)
{
    if (!packer_drain(packer, error))
        return false;
    send_open_packs(packer);
    wait_for_uploads(packer);
    if (!packer_check(packer, error))
        return false;
    return save_pending_index(packer, error);
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
    if (!has_failed(packer))
        packer_fail(packer, g_error_new(BS_ERROR, BS_ERROR_CANCELLED, "given up"));
    stop_threads(packer);
    return packer->dry_run || save_pending_index(packer, error);
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

        batch->data = g_malloc(PACKER_BATCH_SIZE);
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
        g_assert(pthread_create(&packer->uploaders[i], NULL, uploader_main, packer) == 0);
}

Packer *packer_new(Repo *repo, const PackerOptions *options, const Cancel *cancel)
{
    Packer *packer = g_new0(Packer, 1);

    g_assert(repo_index(repo));
    packer->repo = repo;
    packer->index = options->claims ? options->claims : repo_index(repo);
    packer->cancel = cancel;
    packer->dry_run = options->dry_run;
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
