/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd, one frame with content size and without checksum, window at most 8 MiB (repository format,
 * "Plain objects"). Contexts belong to one thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define COMPRESS_LEVEL_MIN 1
#define COMPRESS_LEVEL_MAX 19

typedef struct Compressor Compressor;
Compressor *compressor_new(int level); /* COMPRESS_LEVEL_MIN .. COMPRESS_LEVEL_MAX */
void compressor_free(Compressor *compressor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Compressor, compressor_free)

size_t compress_bound(size_t len);
/* Length of the frame written to out, or 0 when it does not fit into room (no error: the caller
 * stores plain). zstd may want some bytes more than the frame has in the end. */
size_t compress_into(Compressor *compressor, const void *data, size_t len, void *out, size_t room);

typedef struct Decompressor Decompressor;
Decompressor *decompressor_new(void);
void decompressor_free(Decompressor *decompressor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decompressor, decompressor_free)

/* All of in, one or more frames, must give exactly out_len bytes; else BS_ERROR_CORRUPT. Never
 * writes beyond out + out_len. out is all the memory this needs, so any window will do. */
bool decompress_exact(Decompressor *decompressor, const void *in, size_t len, void *out,
                      size_t out_len, GError **error);
/* Unknown length, at most bound bytes (below 4 GiB); memory grows with what comes out, not with
 * what is promised. BS_ERROR_CORRUPT when there is more, and for windows above 128 MiB. */
bool decompress_bounded(Decompressor *decompressor, const void *in, size_t len, size_t bound,
                        GByteArray **ret_plain, GError **error);
