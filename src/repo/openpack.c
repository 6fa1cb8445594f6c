/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/openpack.h"

#include "codec/hash.h"
#include "repo/pack.h"

#define HEADER_TAIL (SEAL_OVERHEAD + 4u) /* seal of the header, its length */

OpenPack *open_pack_new(BlobType type, uint8_t *bytes, size_t capacity)
{
    OpenPack *pack = g_new0(OpenPack, 1);

    pack->bytes = bytes;
    pack->capacity = capacity;
    pack->type = type;
    pack->blobs = g_array_sized_new(FALSE, FALSE, sizeof(PackBlob), 32);
    atomic_init(&pack->references, 1);
    return pack;
}

void open_pack_free(OpenPack *pack)
{
    if (!pack)
        return;
    g_array_unref(pack->blobs);
    g_free(pack);
}

size_t open_pack_capacity_for(size_t sealed_len)
{
    return sealed_len + PACK_ENTRY_COMPRESSED + HEADER_TAIL;
}

bool open_pack_has_room(const OpenPack *pack, size_t sealed_len)
{
    size_t header = (pack->blobs->len + (size_t)1) * PACK_ENTRY_COMPRESSED + HEADER_TAIL;

    return pack->used + sealed_len + header <= pack->capacity && header <= PACK_HEADER_MAX;
}

uint8_t *open_pack_reserve(OpenPack *pack, const Id *id, size_t sealed_len, size_t plain_len,
                           bool compressed)
{
    PackBlob blob = {
        .id = *id,
        .type = pack->type,
        .offset = (uint32_t)pack->used,
        .length = (uint32_t)sealed_len,
        .plain_len = compressed ? (uint32_t)plain_len : 0,
    };
    uint8_t *place = pack->bytes + pack->used;

    g_assert(open_pack_has_room(pack, sealed_len));
    g_array_append_val(pack->blobs, blob);
    pack->used += sealed_len;
    pack->plain += plain_len;
    atomic_fetch_add(&pack->references, 1);
    return place;
}

bool open_pack_release(OpenPack *pack)
{
    return atomic_fetch_sub(&pack->references, 1) == 1;
}

void open_pack_seal(OpenPack *pack, Sealer *sealer, Id *ret_id)
{
    g_autoptr(GByteArray) header = g_byte_array_new();
    uint32_t sealed_len;

    pack_header_encode((const PackBlob *)(void *)pack->blobs->data, pack->blobs->len, header);
    seal(sealer, header->data, header->len, pack->bytes + pack->used);
    sealed_len = GUINT32_TO_LE(header->len + SEAL_OVERHEAD);
    pack->used += header->len + SEAL_OVERHEAD;
    memcpy(pack->bytes + pack->used, &sealed_len, sizeof sealed_len);
    pack->used += sizeof sealed_len;
    hash_bytes(pack->bytes, pack->used, ret_id);
}
