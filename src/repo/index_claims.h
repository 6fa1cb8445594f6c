/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blobs of this run: claimed by a thread that is about to store them, then added with their
 * place. A run may add ten million, so they are kept in about 55 bytes each (measured:
 * bench/micro/index). Any thread; 64 shards keep the threads apart.
 */
#pragma once
#include "repo/index.h"

typedef struct Claims Claims;

Claims *claims_new(void);
void claims_free(Claims *claims);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Claims, claims_free)

/* True for the first who asks, unless it was added before. */
bool claims_take(Claims *claims, BlobType type, const Id *id);
/* A further place of the same blob is passed over: one is enough until the index is loaded again.
 */
void claims_add(Claims *claims, const Id *pack, const PackBlob *blobs, size_t n);
/* Claimed is not found, added is. */
bool claims_find(Claims *claims, BlobType type, const Id *id, BlobPlace *ret_place);
