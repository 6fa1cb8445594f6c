/* SPDX-License-Identifier: Apache-2.0 */
/* Packs asked what they hold, several at once: a store that answers late is asked again meanwhile,
 * and opening blobs takes all processors. */
#pragma once
#include "base/cancel.h"
#include "repo/blob.h"
#include "repo/packer.h"

typedef struct {
    FileInfo file;
    GArray *known; /* of PackBlob: what the index says; NULL: nothing */
    /* The answer. */
    GArray *header;  /* of PackBlob: what the pack says of itself; NULL: problem tells why */
    uint64_t lost;   /* of these blobs, those that are damaged */
    GError *problem; /* BS_ERROR_CORRUPT: of the header. Any other: there was no answer */
} PackAsk;

PackAsk *pack_ask_new(const FileInfo *file, const PackBlob *known, size_t n);
void pack_ask_free(PackAsk *ask);

/* Fills in the answers (asks: of PackAsk). Stops at the first that is none, and when cancelled:
 * those not asked have neither header nor problem. */
void pack_ask_all(Repo *repo, GPtrArray *asks, bool open_blobs, const Cancel *cancel);

/* Opens blobs of one pack; those that are sound go to the packer, if there is one. False: the store
 * or the packer failed, or it was cancelled. */
bool pack_open_blobs(Repo *repo, BlobOpener *opener, const Id *pack, const GArray *blobs,
                     Packer *packer, const Cancel *cancel, uint64_t *ret_lost, GError **error);
