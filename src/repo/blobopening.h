/* SPDX-License-Identifier: Apache-2.0 */
/* What pack.c and blob.c share. */
#pragma once
#include "repo/blob.h"

#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "codec/seal.h"

struct BlobOpener {
    Sealer *sealer;
    Decompressor *decompressor;
    Hash *hash;
    unsigned version;
    BlobFault fault;
};

/* What comes damaged is asked for once more: a byte that changed on the way, or under the head of a
 * disk, is not one that changed where it lies. */
static inline bool blob_comes_damaged(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT);
}
