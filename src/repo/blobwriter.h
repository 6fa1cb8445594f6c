/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's tools for sealing blobs: compressor, sealer, and what it takes to open the result
 * again (failures.md D31, D32: a compression bug or a flipped bit in memory must not become a
 * valid-looking pack). Scratch memory grows to the largest blob seen.
 */
#pragma once
#include "repo/repo.h"

typedef struct BlobWriter BlobWriter;

BlobWriter *blob_writer_new(const Repo *repo);
void blob_writer_free(BlobWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlobWriter, blob_writer_free)

/* What will be sealed for this plain blob: borrowed until the next call. Sets *ret_compressed. */
const void *blob_writer_shrink(BlobWriter *writer, BlobType type, const void *plain, size_t len,
                               size_t *ret_len, bool *ret_compressed);
/* Seals what shrink gave into place (its length + SEAL_OVERHEAD), opens it again and compares with
 * plain unless the repository was opened with no_verify. */
bool blob_writer_seal(BlobWriter *writer, const void *shrunk, size_t shrunk_len, bool compressed,
                      const void *plain, size_t len, uint8_t *place, GError **error);
/* For pack headers. */
Sealer *blob_writer_sealer(BlobWriter *writer);
