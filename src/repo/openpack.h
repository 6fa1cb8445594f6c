/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pack being filled by several workers at once. Each reserves its place (short, under the
 * packer's lock) and seals into it outside of the lock; whoever lets go of the last reference sends
 * the pack on. Layout: repository format, "Packs". The header's room is reserved with each blob, so
 * a pack never outgrows its buffer.
 */
#pragma once
#include "codec/seal.h"
#include "repo/index.h"
#include <stdatomic.h>

typedef struct {
    uint8_t *bytes;
    size_t capacity, used;
    BlobType type;
    GArray *blobs;          /* of PackBlob */
    uint64_t plain;         /* bytes before compression, for statistics */
    atomic_uint references; /* the packer while it is open, and every writer */
} OpenPack;

/* Takes over bytes (capacity long), which the owner frees after open_pack_free. One reference. */
OpenPack *open_pack_new(BlobType type, uint8_t *bytes, size_t capacity);
void open_pack_free(OpenPack *pack);

bool open_pack_has_room(const OpenPack *pack, size_t sealed_len);
/* A place of sealed_len bytes, and a reference for the writer. Under the caller's lock. */
uint8_t *open_pack_reserve(OpenPack *pack, const Id *id, size_t sealed_len, size_t plain_len,
                           bool compressed);
/* True for the one who let go last: the pack is whole but for its header. */
bool open_pack_release(OpenPack *pack);
/* Writes the header behind the blobs; gives the name. */
void open_pack_seal(OpenPack *pack, Sealer *sealer, Id *ret_id);
/* Bytes a pack buffer needs to take one blob of this length. */
size_t open_pack_capacity_for(size_t sealed_len);
