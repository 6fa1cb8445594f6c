/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/transfer.h"

#include "base/error.h"
#include "base/queue.h"
#include "repo/blob.h"
#include <pthread.h>
#include <stdatomic.h>

/* A request costs more than reading a gap for nothing; of a far store it costs as much as a MiB,
 * and a whole pack is one. With 8 MiB for a blob that was opened a worker has 16 or 26 MiB, all
 * together 80, in place of the batches that the packer leaves untouched. */
#define RANGE_MAX     (8u * 1024 * 1024)
#define GAP_MAX       (64u * 1024)
#define WORKERS_MIN   2u
#define WORKERS_MAX   5u
#define FAR_RANGE_MAX (35u * 512 * 1024)
#define FAR_GAP_MAX   (1024u * 1024)
#define FAR_WORKERS   3u
#define JOBS          8

typedef struct {
    Id pack;
    GArray *blobs; /* of PackBlob */
} Job;

struct Transfer {
    Repo *from;
    Packer *to;
    _Atomic uint64_t *bytes;
    const Cancel *cancel;
    Queue *jobs;
    unsigned n_workers;
    pthread_t workers[WORKERS_MAX];
    pthread_mutex_t mutex;
    GError *failure;
    atomic_bool failed;
    bool joined;
};

typedef struct {
    uint8_t *data;
    size_t room;
} Room;

static uint8_t *room_at_least(Room *room, size_t len, GError **error)
{
    if (room->room < len) {
        g_free(room->data);
        room->data = g_try_malloc(len);
        room->room = room->data ? len : 0;
    }
    if (!room->data)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no memory for a blob of %zu bytes", len);
    return room->data;
}

/* What a range brought damaged is read by itself before it counts as damage. */
static bool open_or_read(const Transfer *transfer, BlobOpener *opener, const Id *pack,
                         const PackBlob *blob, uint8_t *sealed, uint8_t *out, GError **error)
{
    BlobPlace place = { *pack, blob->offset, blob->length, blob->plain_len };

    return blob_open(opener, &blob->id, sealed, blob->length, blob->plain_len, out, NULL) ||
           blob_read(repo_store(transfer->from), opener, &blob->id, &place, sealed, out, error);
}

static bool move_blob(Transfer *transfer, BlobOpener *opener, const Id *pack, const PackBlob *blob,
                      uint8_t *sealed, Room *plain, GError **error)
{
    size_t len = blob_plain_len(blob->length, blob->plain_len);
    uint8_t *out = room_at_least(plain, MAX(len, 1), error);

    if (!out || !open_or_read(transfer, opener, pack, blob, sealed, out, error)) {
        g_prefix_error(error, "%s blob %s: ", blob_type_name(blob->type), id_hex(&blob->id).text);
        return false;
    }
    // blob_open leaves the zstd frame behind the IV
    return packer_store_shrunk(transfer->to, blob->type, &blob->id,
                               blob->plain_len ? sealed + 16 : out, blob->length - SEAL_OVERHEAD,
                               blob->plain_len > 0, out, len, error);
}

/* Index of the first blob that no longer belongs to the range that begins with blob i. */
static guint range_end(const Transfer *transfer, const GArray *blobs, guint i)
{
    bool far = repo_store(transfer->from)->far;
    uint64_t range_max = far ? FAR_RANGE_MAX : RANGE_MAX, gap_max = far ? FAR_GAP_MAX : GAP_MAX;
    const PackBlob *first = &g_array_index(blobs, PackBlob, i);
    uint64_t end = (uint64_t)first->offset + first->length;
    guint next = i + 1;

    for (; next < blobs->len; next++) {
        const PackBlob *blob = &g_array_index(blobs, PackBlob, next);
        uint64_t blob_end = (uint64_t)blob->offset + blob->length;

        if (blob->offset > end + gap_max || blob_end - first->offset > range_max)
            break;
        end = MAX(end, blob_end);
    }
    return next;
}

static bool move_range(Transfer *transfer, BlobOpener *opener, const Job *job, guint begin,
                       guint end, Room *range, Room *plain, GError **error)
{
    const PackBlob *first = &g_array_index(job->blobs, PackBlob, begin);
    const PackBlob *last = &g_array_index(job->blobs, PackBlob, end - 1);
    size_t len = (size_t)last->offset + last->length - first->offset;
    uint8_t *data = room_at_least(range, len, error);

    if (!data || !store_get(repo_store(transfer->from), file_key(FILE_PACK, &job->pack).text,
                            first->offset, data, len, error))
        return false;
    for (guint i = begin; i < end; i++) {
        const PackBlob *blob = &g_array_index(job->blobs, PackBlob, i);

        if (!cancel_check(transfer->cancel, error) ||
            !move_blob(transfer, opener, &job->pack, blob, data + (blob->offset - first->offset),
                       plain, error))
            return false;
    }
    if (transfer->bytes)
        atomic_fetch_add(transfer->bytes, len);
    return true;
}

static bool run_job(Transfer *transfer, BlobOpener *opener, const Job *job, Room *range,
                    Room *plain, GError **error)
{
    for (guint begin = 0, end; begin < job->blobs->len; begin = end) {
        end = range_end(transfer, job->blobs, begin);
        if (!move_range(transfer, opener, job, begin, end, range, plain, error)) {
            g_prefix_error(error, "pack %s: ", id_hex(&job->pack).text);
            return false;
        }
    }
    return true;
}

static void fail(Transfer *transfer, GError *failure)
{
    pthread_mutex_lock(&transfer->mutex);
    if (!transfer->failure)
        transfer->failure = failure;
    else
        g_error_free(failure);
    atomic_store(&transfer->failed, true);
    pthread_mutex_unlock(&transfer->mutex);
}

static void *worker_main(void *arg)
{
    Transfer *transfer = arg;
    g_autoptr(BlobOpener) opener = blob_opener_new(transfer->from);
    Room range = { 0 }, plain = { 0 };
    Job *job;

    while ((job = queue_pop(transfer->jobs))) {
        GError *failure = NULL;

        if (!atomic_load(&transfer->failed) &&
            !run_job(transfer, opener, job, &range, &plain, &failure))
            fail(transfer, failure);
        g_array_unref(job->blobs);
        g_free(job);
    }
    g_free(range.data);
    g_free(plain.data);
    return NULL;
}

Transfer *transfer_new(Repo *from, Packer *to, _Atomic uint64_t *bytes, const Cancel *cancel)
{
    Transfer *transfer = g_new0(Transfer, 1);
    const Store *store = repo_store(from);

    transfer->from = from;
    transfer->to = to;
    transfer->bytes = bytes;
    transfer->cancel = cancel;
    transfer->jobs = queue_new(JOBS);
    transfer->n_workers =
        CLAMP(store->connections, WORKERS_MIN, store->far ? FAR_WORKERS : WORKERS_MAX);
    pthread_mutex_init(&transfer->mutex, NULL);
    for (unsigned i = 0; i < transfer->n_workers; i++)
        g_assert(pthread_create(&transfer->workers[i], NULL, worker_main, transfer) == 0);
    return transfer;
}

bool transfer_add(Transfer *transfer, const Id *pack, const PackBlob *blobs, size_t n)
{
    Job *job = g_new0(Job, 1);

    job->pack = *pack;
    job->blobs = g_array_sized_new(FALSE, FALSE, sizeof(PackBlob), (guint)n);
    g_array_append_vals(job->blobs, blobs, (guint)n);
    (void)queue_push(transfer->jobs, job); // closed only by finish
    return !atomic_load(&transfer->failed);
}

static void join(Transfer *transfer)
{
    if (transfer->joined)
        return;
    transfer->joined = true;
    queue_close(transfer->jobs);
    for (unsigned i = 0; i < transfer->n_workers; i++)
        pthread_join(transfer->workers[i], NULL);
}

bool transfer_finish(Transfer *transfer, GError **error)
{
    join(transfer);
    if (transfer->failure)
        g_propagate_error(error, g_steal_pointer(&transfer->failure));
    return !atomic_load(&transfer->failed);
}

void transfer_free(Transfer *transfer)
{
    if (!transfer)
        return;
    atomic_store(&transfer->failed, true);
    join(transfer);
    queue_free(transfer->jobs);
    pthread_mutex_destroy(&transfer->mutex);
    g_clear_error(&transfer->failure);
    g_free(transfer);
}
