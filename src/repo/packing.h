/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the packer share: blobs become parts of packs in any thread (packerblob.c),
 * packs become objects in upload threads (packerupload.c).
 */
#pragma once
#include "base/buffers.h"
#include "base/queue.h"
#include "repo/arrival.h"
#include "repo/blobwriter.h"
#include "repo/openpack.h"
#include "repo/packer.h"
#include "repo/packerplan.h"
#include <pthread.h>
#include <stdatomic.h>

struct Packer {
    Repo *repo;
    Index *index;
    const Cancel *cancel;
    bool dry_run;
    bool (*still_locked)(void *user, GError **error); /* or NULL */
    void *user;

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

/* Takes the failure; the first one counts. Any thread. */
void packer_fail(Packer *packer, GError *failure);

static inline bool packer_has_failed(Packer *packer)
{
    return atomic_load(&packer->failed);
}

/* ---- packerblob.c ---- */

/* One plain blob to completion. Any thread, each with a writer of its own. */
bool packer_store_blob(Packer *packer, BlobWriter *writer, BlobType type, const void *plain,
                       size_t len, Id *ret_id, GError **error);
/* Gives up one hold on a pack (NULL: none); the last one sends it to the uploads. */
void packer_let_go(Packer *packer, OpenPack *pack);

/* ---- packerupload.c ---- */

/* Durable, and in the index, when it returns true. The pack is still the caller's. */
bool packer_upload(Packer *packer, OpenPack *pack, Sealer *sealer, GError **error);
/* A thread's: arg is the packer, which outlives it. */
void *packer_uploader_main(void *arg);
/* The index object of what is durable and in none yet. No other thread may be at work. */
bool packer_save_pending_index(Packer *packer, GError **error);
