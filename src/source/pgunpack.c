/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgunpack.h"

#include "base/error.h"
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define OUT_LEN (256u << 10)

struct PgUnpack {
    PgUnpackFormat format;
    bool many;
    bool began, ended; /* the stream at hand */
    z_stream zlib;
    LZ4F_dctx *lz4;
    ZSTD_DStream *zstd;
    uint8_t *out;
};

typedef struct {
    const uint8_t *data;
    size_t len;
} Input;

static bool is_zlib(const PgUnpack *unpack)
{
    return unpack->format == PG_UNPACK_ZLIB || unpack->format == PG_UNPACK_GZIP;
}

PgUnpack *pg_unpack_new(PgUnpackFormat format, bool many)
{
    PgUnpack *unpack = g_new0(PgUnpack, 1);
    int gzip = format == PG_UNPACK_GZIP ? 16 : 0; // zlib.h, inflateInit2()

    unpack->format = format;
    unpack->many = many;
    unpack->out = g_malloc(OUT_LEN);
    if (is_zlib(unpack))
        g_assert(inflateInit2(&unpack->zlib, gzip + MAX_WBITS) == Z_OK);
    else if (format == PG_UNPACK_LZ4)
        g_assert(!LZ4F_isError(LZ4F_createDecompressionContext(&unpack->lz4, LZ4F_VERSION)));
    else
        g_assert((unpack->zstd = ZSTD_createDStream()));
    return unpack;
}

void pg_unpack_free(PgUnpack *unpack)
{
    if (!unpack)
        return;
    if (is_zlib(unpack))
        (void)inflateEnd(&unpack->zlib);              // only tells that it was in the middle
    (void)LZ4F_freeDecompressionContext(unpack->lz4); // the same; takes NULL
    (void)ZSTD_freeDStream(unpack->zstd);             // takes NULL, cannot fail
    g_free(unpack->out);
    g_free(unpack);
}

PgUnpackFormat pg_unpack_format(const PgUnpack *unpack)
{
    return unpack->format;
}

static void reset(PgUnpack *unpack)
{
    if (is_zlib(unpack))
        g_assert(inflateReset(&unpack->zlib) == Z_OK);
    else if (unpack->format == PG_UNPACK_LZ4)
        LZ4F_resetDecompressionContext(unpack->lz4);
    else
        g_assert(!ZSTD_isError(ZSTD_DCtx_reset(unpack->zstd, ZSTD_reset_session_only)));
    unpack->ended = false;
}

void pg_unpack_begin(PgUnpack *unpack)
{
    reset(unpack);
    unpack->began = false;
}

/* ---- a step: as much of the input as fills the room ---- */

static bool step_zlib(PgUnpack *unpack, Input *in, size_t *ret_out)
{
    z_stream *zlib = &unpack->zlib;
    int status;

    zlib->next_in = (Bytef *)in->data;
    zlib->avail_in = (uInt)MIN(in->len, G_MAXINT);
    zlib->next_out = unpack->out;
    zlib->avail_out = OUT_LEN;
    status = inflate(zlib, Z_NO_FLUSH);
    in->len -= (size_t)(zlib->next_in - in->data);
    in->data = zlib->next_in;
    *ret_out = OUT_LEN - zlib->avail_out;
    unpack->ended = status == Z_STREAM_END; // with it the checksum was compared
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

static bool step_lz4(PgUnpack *unpack, Input *in, size_t *ret_out)
{
    size_t taken = in->len, out = OUT_LEN;
    size_t left = LZ4F_decompress(unpack->lz4, unpack->out, &out, in->data, &taken, NULL);

    if (LZ4F_isError(left))
        return false;
    in->data += taken;
    in->len -= taken;
    *ret_out = out;
    unpack->ended = left == 0;
    return true;
}

static bool step_zstd(PgUnpack *unpack, Input *in, size_t *ret_out)
{
    ZSTD_inBuffer input = { in->data, in->len, 0 };
    ZSTD_outBuffer output = { unpack->out, OUT_LEN, 0 };
    size_t left = ZSTD_decompressStream(unpack->zstd, &output, &input);

    if (ZSTD_isError(left))
        return false;
    in->data += input.pos;
    in->len -= input.pos;
    *ret_out = output.pos;
    unpack->ended = left == 0;
    return true;
}

static bool step(PgUnpack *unpack, Input *in, size_t *ret_out)
{
    size_t before = in->len;
    bool ok = is_zlib(unpack)                   ? step_zlib(unpack, in, ret_out)
              : unpack->format == PG_UNPACK_LZ4 ? step_lz4(unpack, in, ret_out)
                                                : step_zstd(unpack, in, ret_out);

    // what takes nothing and gives nothing would do so for ever
    return ok && (before == 0 || in->len < before || *ret_out > 0);
}

static bool refuse(const char *why, GError **error)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, why);
    return false;
}

bool pg_unpack_feed(PgUnpack *unpack, const void *data, size_t len, PgUnpackTake take, void *user,
                    GError **error)
{
    Input in = { data, len };
    size_t out = 0;

    unpack->began = unpack->began || len > 0;
    // what fills the room may not be all that came of it
    while (in.len > 0 || (out == OUT_LEN && !unpack->ended)) {
        if (unpack->ended && !unpack->many)
            return refuse("something comes after the end of packed data", error);
        if (unpack->ended)
            reset(unpack);
        if (!step(unpack, &in, &out))
            return refuse("packed data are damaged", error);
        if (out > 0 && !take(user, unpack->out, out, error))
            return false;
    }
    return true;
}

bool pg_unpack_end(const PgUnpack *unpack, bool may_be_empty, GError **error)
{
    return unpack->ended || (may_be_empty && !unpack->began) ||
           refuse("packed data end early", error);
}
