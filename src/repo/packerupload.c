/* SPDX-License-Identifier: Apache-2.0 */
/* Full packs into the store, and what they hold into the index. */
#include "base/error.h"
#include "repo/packing.h"

#define INDEX_FULL_BLOBS  50000 /* as restic: a long backup leaves usable pieces */
#define INDEX_FULL_AGE_MS (10 * 60 * 1000)

/* ---- index objects ---- */

static bool save_index(Packer *packer, IndexText *text, const Arrivals *packs, GError **error)
{
    uint64_t n_there = index_n_packs(repo_index(packer->repo));
    size_t len;
    const char *json = index_text_finish(text, &len);
    Id id;

    if (packer->still_locked && !packer->still_locked(packer->user, error))
        return false;
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

bool packer_save_pending_index(Packer *packer, GError **error)
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

/* ---- packs ---- */

bool packer_upload(Packer *packer, OpenPack *pack, Sealer *sealer, GError **error)
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

void *packer_uploader_main(void *arg)
{
    Packer *packer = arg;
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(packer->repo));
    OpenPack *pack;

    while ((pack = queue_pop(packer->uploads))) {
        GError *failure = NULL;

        // after a failure the rest is only drained, so that nobody waits for a buffer for ever
        if (!packer_has_failed(packer) && pack->blobs->len > 0 &&
            !packer_upload(packer, pack, sealer, &failure))
            packer_fail(packer, failure);
        pack_done(packer, pack);
    }
    return NULL;
}
