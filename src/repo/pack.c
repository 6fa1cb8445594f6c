/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/pack.h"
#include "repo/blobopening.h"

#define LENGTH_FIELD 4u
/* One request brings the headers of packs of up to 98 blobs, nearly all of them. */
#define TAIL_LEN 4096u
/* A header of one plain entry is the smallest; its blob is at least an empty seal. */
#define PACK_MIN (SEAL_OVERHEAD + PACK_ENTRY_PLAIN + SEAL_OVERHEAD + LENGTH_FIELD)

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
    else if (blob_comes_damaged(failure)) {
        g_clear_error(&failure);
        if (read_header(repo, key.text, size, ret_blobs, &failure))
            return true;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "pack %s: ", id_short(pack).text);
    return false;
}
