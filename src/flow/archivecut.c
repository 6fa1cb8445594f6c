/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/archiving.h"

#include "base/error.h"

/* What one pushing thread is filling. */
typedef struct {
    Archiver *archiver;
    Batch *batch;
} Feeder;

/* 2 GiB of list, of 256 TiB of nothing: more is no blob (repository format, section 20). */
#define PIECES_MAX (UINT64_C(1) << 25)

static const uint8_t zeros[64 * 1024];

/* ---- feeders ---- */

static Feeder *feeder_get(Archiver *archiver)
{
    Feeder *feeder = pthread_getspecific(archiver->feeder_key);

    if (!feeder) {
        feeder = g_new0(Feeder, 1);
        feeder->archiver = archiver;
        pthread_setspecific(archiver->feeder_key, feeder);
        pthread_mutex_lock(&archiver->mutex);
        g_ptr_array_add(archiver->feeders, feeder);
        pthread_mutex_unlock(&archiver->mutex);
    }
    return feeder;
}

static bool feeder_ready(Feeder *feeder, GError **error)
{
    if (!feeder->batch)
        feeder->batch = packer_take(feeder->archiver->packer);
    return feeder->batch || packer_check(feeder->archiver->packer, error);
}

static void feeder_push(Feeder *feeder)
{
    if (feeder->batch)
        packer_push(feeder->archiver->packer, g_steal_pointer(&feeder->batch));
}

/* ---- cutting ---- */

/* The batch is handed over when it is worth it. */
void archive_close_piece(ArchiveFile *file)
{
    Feeder *feeder = feeder_get(file->archiver);
    Batch *batch = feeder->batch;
    unsigned n;

    if (!file->piece_open)
        return;
    file->piece_open = false;
    n = batch->n++;
    batch->pieces[n].start = file->piece_start;
    batch->pieces[n].len = batch->len - file->piece_start;
    batch->pieces[n].type = BLOB_DATA;
    batch->pieces[n].done = archive_piece_done;
    batch->pieces[n].user = file;
    batch->pieces[n].index = archive_next_piece(file);
    atomic_fetch_add(&file->references, 1);
    chunker_reset(&file->chunker);
    if (batch->len >= BATCH_FULL || batch->n == BATCH_PIECES)
        feeder_push(feeder);
}

bool archive_feed(ArchiveFile *file, const uint8_t *data, size_t len, GError **error)
{
    Feeder *feeder = feeder_get(file->archiver);

    while (len > 0) {
        bool cut;
        size_t n;

        if (!feeder_ready(feeder, error))
            return false;
        if (!file->piece_open) {
            file->piece_open = true;
            file->piece_start = feeder->batch->len;
        }
        n = chunker_next(&file->chunker, data, len, &cut);
        memcpy(feeder->batch->data + feeder->batch->len, data, n);
        feeder->batch->len += n;
        if (cut)
            archive_close_piece(file);
        data += n;
        len -= n;
        file->size += n;
        progress_add(file->archiver->options.progress, 0, n);
    }
    return true;
}

/* ---- holes ---- */

/* Of the length that was asked for last: a volume has one, and so do holes of other files. */
static bool zero_chunk_id(Archiver *archiver, size_t len, Id *ret_id, GError **error)
{
    bool ok = true;

    pthread_mutex_lock(&archiver->mutex);
    if (archiver->zero_chunk_len != len) {
        g_autofree uint8_t *chunk = g_malloc0(len);

        ok = packer_store(archiver->packer, BLOB_DATA, chunk, len, &archiver->zero_chunk, error);
        archiver->zero_chunk_len = ok ? len : 0;
    }
    *ret_id = archiver->zero_chunk;
    pthread_mutex_unlock(&archiver->mutex);
    return ok;
}

static bool feed_zeros(ArchiveFile *file, uint64_t len, GError **error)
{
    for (; len > 0; len -= MIN(len, sizeof zeros))
        if (!archive_feed(file, zeros, (size_t)MIN(len, sizeof zeros), error))
            return false;
    return true;
}

/* Up to where whole chunks of zeros can begin: fixed cuts stay where they are. */
static bool reach_cut(ArchiveFile *file, uint64_t len, uint64_t *ret_fed, GError **error)
{
    const Chunker *chunker = &file->chunker;

    *ret_fed = 0;
    if (!chunker->fixed)
        archive_close_piece(file);
    else if (file->piece_open)
        *ret_fed = MIN(len, chunker->fixed - chunker->len);
    return feed_zeros(file, *ret_fed, error);
}

bool archive_feed_hole(ArchiveFile *file, uint64_t len, GError **error)
{
    size_t chunk = file->chunker.fixed ? file->chunker.fixed : CHUNK_MAX;
    uint64_t fed, n;
    Id id;

    if (len < chunk)
        return feed_zeros(file, len, error);
    if (!reach_cut(file, len, &fed, error) || !cancel_check(file->archiver->cancel, error))
        return false;
    n = (len - fed) / chunk;
    if (n > PIECES_MAX - MIN(file->n_pieces, PIECES_MAX)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "a hole of %" G_GUINT64_FORMAT " bytes is more than a file can have in a "
                    "repository",
                    len);
        return false;
    }
    if (n > 0) {
        if (!zero_chunk_id(file->archiver, chunk, &id, error))
            return false;
        archive_known_pieces(file, &id, n);
        file->size += n * chunk;
        progress_add(file->archiver->options.progress, 0, n * chunk);
    }
    return feed_zeros(file, len - fed - n * chunk, error);
}

void archive_drop_piece(ArchiveFile *file)
{
    if (!file->piece_open)
        return;
    // it is simply never handed over
    feeder_get(file->archiver)->batch->len = file->piece_start;
    file->piece_open = false;
}

void archive_push_feeders(Archiver *archiver)
{
    for (guint i = 0; i < archiver->feeders->len; i++)
        feeder_push(g_ptr_array_index(archiver->feeders, i));
}

void archive_free_feeders(Archiver *archiver)
{
    for (guint i = 0; i < archiver->feeders->len; i++)
        g_free(g_ptr_array_index(archiver->feeders, i));
    g_ptr_array_unref(archiver->feeders);
}
