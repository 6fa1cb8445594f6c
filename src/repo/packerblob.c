/* SPDX-License-Identifier: Apache-2.0 */
/* One blob to completion: claimed, compressed, sealed, and in an open pack. */
#include "base/error.h"
#include "codec/hash.h"
#include "repo/pack.h"
#include "repo/packing.h"

static OpenPack *open_new_pack(Packer *packer, BlobType type)
{
    uint8_t *bytes = buffers_take(packer->pack_buffers);

    pthread_mutex_lock(&packer->mutex);
    packer->packs_out++;
    pthread_mutex_unlock(&packer->mutex);
    return open_pack_new(type, bytes, packer->plan.pack_capacity);
}

void packer_let_go(Packer *packer, OpenPack *pack)
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
        packer_let_go(packer, g_steal_pointer(&packer->open[type]));
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
         packer_upload(packer, pack, blob_writer_sealer(writer), error);
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
    packer_let_go(packer, pack);
    return ok;
}

bool packer_store_blob(Packer *packer, BlobWriter *writer, BlobType type, const void *plain,
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
    bool ok = packer_store_blob(packer, writer, type, data, len, ret_id, &failure);

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
