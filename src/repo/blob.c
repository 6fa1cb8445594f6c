/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/blob.h"
#include "repo/blobopening.h"

/* How far a frame of a wrong length is decompressed, only to tell it from a broken one. */
#define WRONG_LENGTH_MAX (64u * 1024 * 1024)

BlobOpener *blob_opener_new(const Repo *repo)
{
    BlobOpener *opener = g_new0(BlobOpener, 1);

    opener->sealer = sealer_new(repo_master_key(repo));
    opener->decompressor = decompressor_new();
    opener->hash = hash_new();
    opener->version = repo_version(repo);
    return opener;
}

void blob_opener_free(BlobOpener *opener)
{
    if (!opener)
        return;
    g_clear_pointer(&opener->sealer, sealer_free);
    g_clear_pointer(&opener->decompressor, decompressor_free);
    g_clear_pointer(&opener->hash, hash_free);
    g_free(opener);
}

static BlobFault fault(GError **error, BlobFault what, const char *text)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, text);
    return what;
}

/* A frame that is sound but gives another length than the index or header says? */
static BlobFault zstd_fault(BlobOpener *opener, const uint8_t *frame, size_t len,
                            uint32_t plain_len, GError **error)
{
    g_autoptr(GByteArray) plain = NULL;

    if (!decompress_bounded(opener->decompressor, frame, len, WRONG_LENGTH_MAX, &plain, error)) {
        g_prefix_error(error, "zstd frame bad: ");
        return BLOB_BAD_ZSTD;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "length differs: %u bytes instead of %u",
                plain->len, plain_len);
    return BLOB_BAD_LENGTH;
}

static BlobFault open_blob(BlobOpener *opener, const Id *id, uint8_t *sealed, size_t len,
                           uint32_t plain_len, uint8_t *out, GError **error)
{
    uint8_t *inner = plain_len ? sealed + 16 : out;
    size_t out_len = plain_len;
    Id actual;

    if (!unseal(opener->sealer, sealed, len, inner, NULL))
        return fault(error, BLOB_BAD_MAC, "MAC wrong");
    if (!plain_len)
        out_len = len - SEAL_OVERHEAD;
    else if (!decompress_exact(opener->decompressor, inner, len - SEAL_OVERHEAD, out, plain_len,
                               NULL))
        return zstd_fault(opener, inner, len - SEAL_OVERHEAD, plain_len, error);
    hash_update(opener->hash, out, out_len);
    hash_final(opener->hash, &actual);
    if (!id_equal(&actual, id))
        return fault(error, BLOB_BAD_HASH, "content does not hash to its id");
    return BLOB_GOOD;
}

bool blob_open(BlobOpener *opener, const Id *id, uint8_t *sealed, size_t len, uint32_t plain_len,
               uint8_t *out, GError **error)
{
    opener->fault = open_blob(opener, id, sealed, len, plain_len, out, error);
    return opener->fault == BLOB_GOOD;
}

BlobFault blob_open_fault(const BlobOpener *opener)
{
    return opener->fault;
}

static bool read_blob(Store *store, BlobOpener *opener, const Id *id, const BlobPlace *place,
                      uint8_t *sealed, uint8_t *out, GError **error)
{
    return store_get(store, file_key(FILE_PACK, &place->pack).text, place->offset, sealed,
                     place->length, error) &&
           blob_open(opener, id, sealed, place->length, place->plain_len, out, error);
}

bool blob_read(Store *store, BlobOpener *opener, const Id *id, const BlobPlace *place,
               uint8_t *sealed, uint8_t *out, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (read_blob(store, opener, id, place, sealed, out, &failure))
        return true;
    if (blob_comes_damaged(failure))
        return read_blob(store, opener, id, place, sealed, out, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool load_from(Store *store, BlobOpener *opener, const Id *id, const BlobPlace *place,
                      GBytes **ret_plain, GError **error)
{
    size_t plain_len = blob_plain_len(place->length, place->plain_len);
    g_autofree uint8_t *sealed = g_try_malloc(place->length);
    g_autofree uint8_t *plain = g_try_malloc(plain_len + 1); // + 1: never NULL for nothing

    if (!sealed || !plain) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no memory for a blob of %zu bytes",
                    plain_len);
        return false;
    }
    if (!blob_read(store, opener, id, place, sealed, plain, error))
        return false;
    *ret_plain = g_bytes_new_take(g_steal_pointer(&plain), plain_len);
    return true;
}

bool blob_load_at(Repo *repo, BlobOpener *opener, const Id *id, const BlobPlace *place,
                  GBytes **ret_plain, GError **error)
{
    return load_from(repo_store(repo), opener, id, place, ret_plain, error);
}

/* A tree may come from a copy near by, whose damage is not the repository's. */
static bool load_tree(Repo *repo, BlobOpener *opener, const Id *id, const BlobPlace *place,
                      GBytes **ret_plain, GError **error)
{
    Store *store = repo_tree_store(repo);
    g_autoptr(GError) failure = NULL;

    if (load_from(store, opener, id, place, ret_plain, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) &&
        repo_drop_damaged_copy(repo, &place->pack))
        return load_from(store, opener, id, place, ret_plain, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool is_damage(const GError *problem)
{
    return g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND);
}

bool blob_load(Repo *repo, BlobOpener *opener, BlobType type, const Id *id, GBytes **ret_plain,
               GError **error)
{
    const Index *index = repo_index(repo);
    size_t n = index_find_all(index, type, id, NULL, 0);
    g_autofree BlobPlace *places = g_new(BlobPlace, n);
    g_autoptr(GError) worst = NULL;

    if (n == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s blob %s: in no index",
                    blob_type_name(type), id_short(id).text);
        return false;
    }
    n = MIN(index_find_all(index, type, id, places, n), n);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GError) problem = NULL;

        if (type == BLOB_TREE ? load_tree(repo, opener, id, &places[i], ret_plain, &problem)
                              : blob_load_at(repo, opener, id, &places[i], ret_plain, &problem))
            return true;
        // a place that could not be asked may still have it
        if (!worst || (is_damage(worst) && !is_damage(problem))) {
            g_prefix_error(&problem, "%s blob %s: pack %s: ", blob_type_name(type),
                           id_short(id).text, id_short(&places[i].pack).text);
            g_clear_error(&worst);
            worst = g_steal_pointer(&problem);
        }
    }
    g_propagate_error(error, g_steal_pointer(&worst));
    return false;
}
