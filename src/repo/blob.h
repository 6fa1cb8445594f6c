/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs opened one by one, from memory and from the store (repository format, "Packs"). */
#pragma once
#include "repo/index.h"
#include "repo/repo.h"

/* One thread's tools for opening what is sealed in packs. */
typedef struct BlobOpener BlobOpener;
BlobOpener *blob_opener_new(const Repo *repo);
void blob_opener_free(BlobOpener *opener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobOpener, blob_opener_free)

/* Why the last blob_open failed, for check. */
typedef enum { BLOB_GOOD, BLOB_BAD_MAC, BLOB_BAD_ZSTD, BLOB_BAD_LENGTH, BLOB_BAD_HASH } BlobFault;

/* Opens sealed bytes into out (room for blob_plain_len() bytes) and proves the hash against id.
 * sealed is overwritten: of a compressed blob the zstd frame lies at sealed + 16 then.
 * BS_ERROR_CORRUPT says what is wrong: MAC, zstd, length, hash; what out
 * then holds must not be used. */
bool blob_open(BlobOpener *opener, const Id *id, uint8_t *sealed, size_t len, uint32_t plain_len,
               uint8_t *out, GError **error);
BlobFault blob_open_fault(const BlobOpener *opener);

/* Reads it from the store into sealed (room for place->length) and opens it, both twice if need be.
 * BS_ERROR_CORRUPT: it lies there damaged, or the pack ends before it. */
bool blob_read(Store *store, BlobOpener *opener, const Id *id, const BlobPlace *place,
               uint8_t *sealed, uint8_t *out, GError **error);
/* The blob at one place; BS_ERROR_CORRUPT also when the pack ends before it. */
bool blob_load_at(Repo *repo, BlobOpener *opener, const Id *id, const BlobPlace *place,
                  GBytes **ret_plain, GError **error);
/* A blob by id, through the index, trying every place it lies. BS_ERROR_NOT_FOUND: in no index.
 * BS_ERROR_CORRUPT: damaged at every place; a place that could not be asked comes first. */
bool blob_load(Repo *repo, BlobOpener *opener, BlobType type, const Id *id, GBytes **ret_plain,
               GError **error);
