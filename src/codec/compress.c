/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/compress.h"
#include "base/error.h"
#include <zstd.h>

#define WINDOW_LOG_MAX_WRITTEN 23 /* 8 MiB, which every decoder takes */
#define WINDOW_LOG_MAX_READ    27 /* 128 MiB */

/* The levels from here on have windows of 8 MiB in libzstd 1.5; the cap keeps a later libzstd to
 * it. For the levels below, naming a window would only make it larger than it is. */
#define LEVEL_OF_LARGE_WINDOWS 17

struct Compressor {
    ZSTD_CCtx *context;
};

struct Decompressor {
    ZSTD_DCtx *context;
};

static void must(size_t result)
{
    if (ZSTD_isError(result))
        g_error("libzstd: %s", ZSTD_getErrorName(result));
}

Compressor *compressor_new(int level)
{
    Compressor *compressor = g_new0(Compressor, 1);
    ZSTD_CCtx *context = ZSTD_createCCtx();

    g_assert(level >= COMPRESS_LEVEL_MIN && level <= COMPRESS_LEVEL_MAX);
    if (!context)
        g_error("out of memory");
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level));
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1));
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0));
    if (level >= LEVEL_OF_LARGE_WINDOWS)
        must(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_LOG_MAX_WRITTEN));
    compressor->context = context;
    return compressor;
}

void compressor_free(Compressor *compressor)
{
    if (!compressor)
        return;
    ZSTD_freeCCtx(compressor->context);
    g_free(compressor);
}

size_t compress_bound(size_t len)
{
    return ZSTD_compressBound(len);
}

size_t compress_into(Compressor *compressor, const void *data, size_t len, void *out, size_t room)
{
    size_t n = ZSTD_compress2(compressor->context, out, room, data, len);

    return ZSTD_isError(n) ? 0 : n;
}

Decompressor *decompressor_new(void)
{
    Decompressor *decompressor = g_new0(Decompressor, 1);
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (!context)
        g_error("out of memory");
    must(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX_READ));
    decompressor->context = context;
    return decompressor;
}

void decompressor_free(Decompressor *decompressor)
{
    if (!decompressor)
        return;
    ZSTD_freeDCtx(decompressor->context);
    g_free(decompressor);
}

static bool corrupt(GError **error, const char *reason)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "zstd: %s", reason);
    return false;
}

bool decompress_exact(Decompressor *decompressor, const void *in, size_t len, void *out,
                      size_t out_len, GError **error)
{
    size_t n;

    if (len == 0)
        return corrupt(error, "there is no frame");
    n = ZSTD_decompressDCtx(decompressor->context, out, out_len, in, len);
    if (ZSTD_isError(n))
        return corrupt(error, ZSTD_getErrorName(n));
    if (n != out_len) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "zstd: %zu bytes came out instead of %zu", n,
                    out_len);
        return false;
    }
    return true;
}

/* Makes room for more, doubling, up to limit. */
static bool grow(guint8 **plain, size_t *room, size_t limit, GError **error)
{
    size_t larger = MIN(MAX(*room * 2, ZSTD_DStreamOutSize()), limit);
    guint8 *moved = g_try_realloc(*plain, larger);

    if (!moved) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no memory for %zu bytes", larger);
        return false;
    }
    *plain = moved;
    *room = larger;
    return true;
}

bool decompress_bounded(Decompressor *decompressor, const void *in, size_t len, size_t bound,
                        GByteArray **ret_plain, GError **error)
{
    g_autofree guint8 *plain = NULL;
    ZSTD_inBuffer from = { in, len, 0 };
    size_t room = 0;
    size_t n = 0;

    g_assert(bound < G_MAXUINT32);
    if (len == 0)
        return corrupt(error, "there is no frame");
    must(ZSTD_DCtx_reset(decompressor->context, ZSTD_reset_session_only));
    for (;;) {
        ZSTD_outBuffer to;
        size_t consumed = from.pos;
        size_t left; // 0 at the end of a frame
        bool stuck;

        // one byte beyond the bound tells data that ends there from data that goes on
        if (n == room && !grow(&plain, &room, bound + 1, error))
            return false;
        to = (ZSTD_outBuffer){ plain, room, n };
        left = ZSTD_decompressStream(decompressor->context, &to, &from);
        if (ZSTD_isError(left))
            return corrupt(error, ZSTD_getErrorName(left));
        stuck = from.pos == consumed && to.pos == n;
        n = to.pos;
        if (n > bound) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "zstd: more than the %zu bytes allowed",
                        bound);
            return false;
        }
        if (from.pos == len && left == 0)
            break;
        if (stuck)
            return corrupt(error, "the last frame is cut short");
    }
    *ret_plain = g_byte_array_new_take(g_steal_pointer(&plain), n);
    return true;
}
