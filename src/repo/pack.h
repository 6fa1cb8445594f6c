/* SPDX-License-Identifier: Apache-2.0 */
/* The header of packs, and blobs opened one by one (repository format, "Packs"). */
#pragma once
#include "repo/index.h"
#include "repo/repo.h"

#define PACK_HEADER_MAX       (16u * 1024 * 1024)
#define PACK_ENTRY_PLAIN      37u
#define PACK_ENTRY_COMPRESSED 41u

/* The header's plain bytes, without seal and length. Appends to out. */
void pack_header_encode(const PackBlob *blobs, size_t n, GByteArray *out);
/* Entries with running offsets, of PackBlob. BS_ERROR_CORRUPT; with version 1 compressed entries
 * are. */
bool pack_header_decode(const void *header, size_t len, unsigned version, GArray **ret_blobs,
                        GError **error);
/* Bytes of a whole pack that holds these blobs. */
uint64_t pack_size(const PackBlob *blobs, size_t n);

/* One thread's tools for opening what is sealed in packs. */
typedef struct BlobOpener BlobOpener;
BlobOpener *blob_opener_new(const Repo *repo);
void blob_opener_free(BlobOpener *opener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobOpener, blob_opener_free)

/* Why a pack's header cannot be had, for check. */
typedef enum {
    PACK_GOOD,
    PACK_SHORT,         /* too small for any pack */
    PACK_HEADER_LENGTH, /* the length at its end is impossible */
    PACK_HEADER_MAC,
    PACK_HEADER_BROKEN, /* entries that are none, or that do not fill the pack */
} PackFault;

/* The header of a whole pack in memory. ret_fault (may be NULL) is set in either case.
 * BS_ERROR_CORRUPT. */
bool pack_open_header(BlobOpener *opener, const uint8_t *pack, size_t len, GArray **ret_blobs,
                      PackFault *ret_fault, GError **error);
/* Reads and opens the header of a pack of this size in the store. */
bool pack_read_header(Repo *repo, const Id *pack, uint64_t size, GArray **ret_blobs,
                      GError **error);

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
