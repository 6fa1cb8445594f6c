/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/pack.h"
#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "codec/seal.h"

#define LENGTH_FIELD 4u
/* One request brings the headers of packs of up to 98 blobs, nearly all of them. */
#define TAIL_LEN 4096u
/* A header of one plain entry is the smallest; its blob is at least an empty seal. */
#define PACK_MIN (SEAL_OVERHEAD + PACK_ENTRY_PLAIN + SEAL_OVERHEAD + LENGTH_FIELD)
/* How far a frame of a wrong length is decompressed, only to tell it from a broken one. */
#define WRONG_LENGTH_MAX (64u * 1024 * 1024)

static void append_u32(GByteArray *out, uint32_t value)
{
    uint32_t little = GUINT32_TO_LE(value);

    g_byte_array_append(out, (const uint8_t *)&little, sizeof(little));
}

static uint32_t read_u32(const uint8_t *bytes)
{
    uint32_t little;

    memcpy(&little, bytes, sizeof(little));
    return GUINT32_FROM_LE(little);
}

void pack_header_encode(const PackBlob *blobs, size_t n, GByteArray *out)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t type = (uint8_t)(blobs[i].type | (blobs[i].plain_len ? 2 : 0));

        g_byte_array_append(out, &type, 1);
        append_u32(out, blobs[i].length);
        if (blobs[i].plain_len)
            append_u32(out, blobs[i].plain_len);
        g_byte_array_append(out, blobs[i].id.bytes, ID_LEN);
    }
}

/* Reads one entry and moves *at behind it. NULL, or what is wrong. */
static const char *decode_entry(const uint8_t **at, const uint8_t *end, unsigned version,
                                uint64_t offset, PackBlob *blob)
{
    const uint8_t *entry = *at;
    uint8_t type = entry[0];
    bool compressed = type & 2;
    size_t size = compressed ? PACK_ENTRY_COMPRESSED : PACK_ENTRY_PLAIN;

    if (type > 3)
        return "unknown blob type";
    if (compressed && version < 2)
        return "compressed blob in a repository of version 1";
    if ((size_t)(end - entry) < size)
        return "entry is cut off";
    blob->type = type & 1 ? BLOB_TREE : BLOB_DATA;
    blob->offset = (uint32_t)offset;
    blob->length = read_u32(entry + 1);
    blob->plain_len = compressed ? read_u32(entry + 5) : 0;
    memcpy(blob->id.bytes, entry + size - ID_LEN, ID_LEN);
    if (blob->length < SEAL_OVERHEAD)
        return "blob shorter than its seal";
    if (compressed && blob->plain_len == 0)
        return "compressed blob without length";
    if (offset + blob->length > UINT32_MAX)
        return "blob ends beyond 4 GiB";
    *at += size;
    return NULL;
}

bool pack_header_decode(const void *header, size_t len, unsigned version, GArray **ret_blobs,
                        GError **error)
{
    g_autoptr(GArray) blobs = g_array_new(false, false, sizeof(PackBlob));
    const uint8_t *at = header;
    const uint8_t *end = at + len;
    uint64_t offset = 0;

    if (len == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pack header: no entries");
        return false;
    }
    while (at < end) {
        PackBlob blob = { 0 };
        const char *problem = decode_entry(&at, end, version, offset, &blob);

        if (problem) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pack header: entry %u: %s", blobs->len,
                        problem);
            return false;
        }
        g_array_append_val(blobs, blob);
        offset += blob.length;
    }
    *ret_blobs = g_steal_pointer(&blobs);
    return true;
}

uint64_t pack_size(const PackBlob *blobs, size_t n)
{
    uint64_t size = SEAL_OVERHEAD + LENGTH_FIELD;

    for (size_t i = 0; i < n; i++)
        size += blobs[i].length + (blobs[i].plain_len ? PACK_ENTRY_COMPRESSED : PACK_ENTRY_PLAIN);
    return size;
}

/* ---- the header of a pack ---- */

struct BlobOpener {
    Sealer *sealer;
    Decompressor *decompressor;
    Hash *hash;
    unsigned version;
    BlobFault fault;
};

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

static PackFault header_length(const uint8_t *field, uint64_t size, uint32_t *ret_len,
                               GError **error)
{
    uint32_t len = read_u32(field);

    if (len < SEAL_OVERHEAD || len > size - LENGTH_FIELD || len > PACK_HEADER_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pack header: impossible length %u", len);
        return PACK_HEADER_LENGTH;
    }
    *ret_len = len;
    return PACK_GOOD;
}

static PackFault too_short(uint64_t size, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "too short for a pack (%" G_GUINT64_FORMAT " bytes)", size);
    return PACK_SHORT;
}

/* sealed: the len bytes before the length field of a pack of this size. */
static PackFault open_header(BlobOpener *opener, const uint8_t *sealed, size_t len, uint64_t size,
                             GArray **ret_blobs, GError **error)
{
    g_autofree uint8_t *plain = g_malloc(len);
    g_autoptr(GArray) blobs = NULL;

    if (!unseal(opener->sealer, sealed, len, plain, error)) {
        g_prefix_error(error, "pack header: ");
        return PACK_HEADER_MAC;
    }
    if (!pack_header_decode(plain, len - SEAL_OVERHEAD, opener->version, &blobs, error))
        return PACK_HEADER_BROKEN;
    if (pack_size((const PackBlob *)(void *)blobs->data, blobs->len) != size) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "pack header: its blobs do not fill the pack");
        return PACK_HEADER_BROKEN;
    }
    *ret_blobs = g_steal_pointer(&blobs);
    return PACK_GOOD;
}

bool pack_open_header(BlobOpener *opener, const uint8_t *pack, size_t len, GArray **ret_blobs,
                      PackFault *ret_fault, GError **error)
{
    size_t body = len - MIN(len, LENGTH_FIELD);
    uint32_t header_len = 0;
    PackFault fault;

    if (len < PACK_MIN)
        fault = too_short(len, error);
    else
        fault = header_length(pack + body, len, &header_len, error);
    if (fault == PACK_GOOD)
        fault = open_header(opener, pack + body - header_len, header_len, len, ret_blobs, error);
    if (ret_fault)
        *ret_fault = fault;
    return fault == PACK_GOOD;
}

/* What comes damaged is asked for once more: a byte that changed on the way, or under the head of a
 * disk, is not one that changed where it lies. */
static bool comes_damaged(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT);
}

/* The sealed header of a pack in the store: one request, a second one for many blobs. */
static bool fetch_header(Repo *repo, const char *key, uint64_t size, GByteArray **ret_sealed,
                         GError **error)
{
    size_t tail_len = (size_t)MIN(size, TAIL_LEN);
    g_autoptr(GByteArray) tail = g_byte_array_new();
    uint32_t len;

    g_byte_array_set_size(tail, (guint)tail_len);
    if (!store_get(repo_store(repo), key, size - tail_len, tail->data, tail_len, error))
        return false;
    if (header_length(tail->data + tail_len - LENGTH_FIELD, size, &len, error) != PACK_GOOD)
        return false;
    if (len + LENGTH_FIELD <= tail_len) {
        g_byte_array_set_size(tail, (guint)tail_len - LENGTH_FIELD);
        g_byte_array_remove_range(tail, 0, (guint)tail_len - LENGTH_FIELD - len);
    } else {
        g_byte_array_set_size(tail, len);
        if (!store_get(repo_store(repo), key, size - LENGTH_FIELD - len, tail->data, len, error))
            return false;
    }
    *ret_sealed = g_steal_pointer(&tail);
    return true;
}

static bool read_header(Repo *repo, const char *key, uint64_t size, GArray **ret_blobs,
                        GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    g_autoptr(GByteArray) sealed = NULL;

    return fetch_header(repo, key, size, &sealed, error) &&
           open_header(opener, sealed->data, sealed->len, size, ret_blobs, error) == PACK_GOOD;
}

bool pack_read_header(Repo *repo, const Id *pack, uint64_t size, GArray **ret_blobs, GError **error)
{
    FileKey key = file_key(FILE_PACK, pack);
    g_autoptr(GError) failure = NULL;

    if (size < PACK_MIN)
        (void)too_short(size, &failure);
    else if (read_header(repo, key.text, size, ret_blobs, &failure))
        return true;
    else if (comes_damaged(failure)) {
        g_clear_error(&failure);
        if (read_header(repo, key.text, size, ret_blobs, &failure))
            return true;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "pack %s: ", id_short(pack).text);
    return false;
}

/* ---- blobs ---- */

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
    if (comes_damaged(failure))
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
