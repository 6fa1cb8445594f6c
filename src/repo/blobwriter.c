/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/blobwriter.h"

#include "base/error.h"
#include "codec/compress.h"

#define TREE_LEVEL                                                                                 \
    3 /* trees are small beside data and compress well; restic does the same in all modes */

typedef struct {
    uint8_t *data;
    size_t room;
} Scratch;

struct BlobWriter {
    Sealer *sealer;
    Compressor *data, *tree; /* NULL: store plain */
    Decompressor *decompressor;
    Scratch shrunk, opened;
    bool verify;
};

BlobWriter *blob_writer_new(const Repo *repo)
{
    BlobWriter *writer = g_new0(BlobWriter, 1);
    int level = repo_data_level(repo);

    writer->sealer = sealer_new(repo_master_key(repo));
    if (repo_version(repo) >= 2) {
        writer->data = level ? compressor_new(level) : NULL;
        writer->tree = compressor_new(TREE_LEVEL);
    }
    writer->decompressor = decompressor_new();
    writer->verify = !repo_options(repo)->no_verify;
    return writer;
}

void blob_writer_free(BlobWriter *writer)
{
    if (!writer)
        return;
    sealer_free(writer->sealer);
    compressor_free(writer->data);
    compressor_free(writer->tree);
    decompressor_free(writer->decompressor);
    g_free(writer->shrunk.data);
    g_free(writer->opened.data);
    g_free(writer);
}

Sealer *blob_writer_sealer(BlobWriter *writer)
{
    return writer->sealer;
}

static uint8_t *scratch_at_least(Scratch *scratch, size_t room)
{
    if (scratch->room < room) {
        g_free(scratch->data);
        scratch->data = g_malloc(room);
        scratch->room = room;
    }
    return scratch->data;
}

const void *blob_writer_shrink(BlobWriter *writer, BlobType type, const void *plain, size_t len,
                               size_t *ret_len, bool *ret_compressed)
{
    Compressor *compressor = type == BLOB_TREE ? writer->tree : writer->data;
    size_t room = compress_bound(len);
    uint8_t *out = scratch_at_least(&writer->shrunk, room);
    size_t shrunk = compressor ? compress_into(compressor, plain, len, out, room) : 0;

    // trees always, as restic does: a plain one would be repacked by every prune
    *ret_compressed = shrunk > 0 && (shrunk < len || type == BLOB_TREE);
    *ret_len = *ret_compressed ? shrunk : len;
    return *ret_compressed ? out : plain;
}

static bool reads_back(BlobWriter *writer, const uint8_t *sealed, size_t sealed_len,
                       bool compressed, const void *plain, size_t len, GError **error)
{
    // what was shrunk is sealed by now, so its scratch is free
    uint8_t *inner = scratch_at_least(&writer->shrunk, sealed_len);
    const uint8_t *result = inner;

    if (!unseal(writer->sealer, sealed, sealed_len, inner, error))
        return false;
    if (compressed) {
        uint8_t *out = scratch_at_least(&writer->opened, len);

        if (!decompress_exact(writer->decompressor, inner, sealed_len - SEAL_OVERHEAD, out, len,
                              error))
            return false;
        result = out;
    }
    if (memcmp(result, plain, len) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "opened blob differs from its chunk");
        return false;
    }
    return true;
}

bool blob_writer_seal(BlobWriter *writer, const void *shrunk, size_t shrunk_len, bool compressed,
                      const void *plain, size_t len, uint8_t *place, GError **error)
{
    seal(writer->sealer, shrunk, shrunk_len, place);
    if (!writer->verify)
        return true;
    if (!reads_back(writer, place, shrunk_len + SEAL_OVERHEAD, compressed, plain, len, error)) {
        g_prefix_error(
            error, "a blob just sealed does not read back; this machine's memory or a library is "
                   "faulty, do not trust it with backups: ");
        return false;
    }
    return true;
}
