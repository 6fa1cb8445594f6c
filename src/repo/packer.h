/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of the road. The pusher fills batches (a buffer with one or more plain chunks)
 * and hands them over; a worker runs each chunk to completion while it is in cache: SHA-256, index
 * claim, zstd, seal, open again and compare, into the open pack. Full packs go to upload threads. A
 * pack's blobs enter the index only when the store says it is durable; index objects are written
 * every 50,000 blobs and at the end. The only flow control is a free buffer. Memory: see
 * repo/packerplan.h.
 */
#pragma once
#include "base/cancel.h"
#include "repo/index.h"
#include "repo/repo.h"

typedef struct Packer Packer;

typedef struct {
    unsigned workers; /* 0: one per core; at most 8, and fewer when many uploads need the memory */
    bool dry_run;     /* hash and claim, store nothing */
    Index *claims;    /* what counts as known; NULL: the repository's index. Borrowed. An empty one
                       * makes prune store anew what is there */
    /* Asked before each index object, from any thread; NULL: always. False: packs of ours may be
     * gone, and an index object that names them would keep later runs from storing their blobs. */
    bool (*still_locked)(void *user, GError **error);
    void *user;
} PackerOptions;

typedef struct {
    uint64_t data_blobs, tree_blobs;        /* added by this run */
    uint64_t data_added, data_added_packed; /* bytes before compression, bytes stored */
} PackerStats;

/* A piece was hashed and is stored or known; id is its blob. Called in a worker, once per piece. */
typedef void (*PackerDone)(void *user, uint64_t index, const Id *id);

#define BATCH_PIECES 512
/* A batch with this much in it should be handed over at the next cut: enough work to pay for the
 * hand-over, little enough to stay in cache. measured with bench/run files */
#define BATCH_FULL (1024u * 1024)

/* A buffer being filled by one pusher. */
typedef struct {
    uint8_t *data; /* CHUNK_MAX + BATCH_FULL bytes */
    size_t len;    /* filled, complete pieces and the one being filled */
    unsigned n;
    struct {
        size_t start, len;
        BlobType type;
        PackerDone done;
        void *user;
        uint64_t index;
    } pieces[BATCH_PIECES];
} Batch;

Packer *packer_new(Repo *repo, const PackerOptions *options, const Cancel *cancel);
void packer_free(Packer *packer); /* stops the threads; what is not finished is dropped */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Packer, packer_free)

/* Waits for a free buffer. NULL when the packer failed or was cancelled: packer_check() tells. */
Batch *packer_take(Packer *packer);
/* Hands it over, with n >= 0 pieces. */
void packer_push(Packer *packer, Batch *batch);
/* Gives an unused batch back. */
void packer_give_back(Packer *packer, Batch *batch);
/* Stores one blob at once in the calling thread (trees, manifests): any length. Workers may call it
 * from PackerDone. */
bool packer_store(Packer *packer, BlobType type, const void *data, size_t len, Id *ret_id,
                  GError **error);
/* A blob that another pack or repository held, already proven and perhaps still compressed: only
 * sealed anew. shrunk: what to seal; compressed says whether that is a zstd frame of plain. Any
 * thread. */
bool packer_store_shrunk(Packer *packer, BlobType type, const Id *id, const void *shrunk,
                         size_t shrunk_len, bool compressed, const void *plain, size_t len,
                         GError **error);

/* Waits until everything pushed so far is hashed (not yet durable). */
bool packer_drain(Packer *packer, GError **error);
/* Everything durable: open packs, index objects. After this the snapshot may be written. */
bool packer_finish(Packer *packer, GError **error);
/* After a failure or cancel: packs that are durable get their index object, so that the next run
 * finds them. */
bool packer_salvage(Packer *packer, GError **error);
/* False with the first failure of any thread, or cancel. */
bool packer_check(Packer *packer, GError **error);
void packer_stats(const Packer *packer, PackerStats *ret_stats);
