/* SPDX-License-Identifier: Apache-2.0 */
/* The header of packs (repository format, "Packs"). */
#pragma once
#include "repo/blob.h"

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
