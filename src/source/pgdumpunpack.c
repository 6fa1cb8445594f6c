/* SPDX-License-Identifier: Apache-2.0 */
/* The data of an archive that is compressed inside, by zlib or zstd: each block, and each large
 * object, is a stream of its own, with its own end and, by zlib, its own checksum. */
#include "base/error.h"
#include "source/pgdumping.h"
#include <zlib.h>
#include <zstd.h>

#define OUT_LEN (64u << 10)

struct PgDumpUnpack {
    bool zstd;
    bool began, ended; /* the stream at hand */
    z_stream zlib;
    ZSTD_DStream *stream;
    uint8_t out[OUT_LEN];
};

PgDumpUnpack *pgdump_unpack_new(PgDumpCompression compression)
{
    PgDumpUnpack *unpack;

    if (compression != PGDUMP_GZIP && compression != PGDUMP_ZSTD)
        return NULL;
    unpack = g_new0(PgDumpUnpack, 1);
    unpack->zstd = compression == PGDUMP_ZSTD;
    if (unpack->zstd)
        g_assert((unpack->stream = ZSTD_createDStream()));
    else
        g_assert(inflateInit(&unpack->zlib) == Z_OK);
    return unpack;
}

void pgdump_unpack_free(PgDumpUnpack *unpack)
{
    if (!unpack)
        return;
    if (unpack->zstd)
        (void)ZSTD_freeDStream(unpack->stream); // cannot fail
    else
        (void)inflateEnd(&unpack->zlib); // only tells that it was in the middle
    g_free(unpack);
}

static bool step_zlib(PgDumpUnpack *unpack, Slice *in, size_t *ret_out)
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
    unpack->ended = status == Z_STREAM_END; // with it the Adler-32 was compared
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

static bool step_zstd(PgDumpUnpack *unpack, Slice *in, size_t *ret_out)
{
    ZSTD_inBuffer input = { in->data, in->len, 0 };
    ZSTD_outBuffer output = { unpack->out, OUT_LEN, 0 };
    size_t left = ZSTD_decompressStream(unpack->stream, &output, &input);

    if (ZSTD_isError(left))
        return false;
    in->data += input.pos;
    in->len -= input.pos;
    *ret_out = output.pos;
    unpack->ended = left == 0;
    return true;
}

bool pgdump_unpack_feed(PgDump *dump, const uint8_t *data, size_t len, GError **error)
{
    PgDumpUnpack *unpack = dump->unpack;
    Slice in = { data, len };
    size_t out = OUT_LEN;

    unpack->began = true;
    // what fills the room may not be all that came of it
    while (in.len > 0 || (out == OUT_LEN && !unpack->ended)) {
        if (unpack->ended)
            return pgdump_corrupt(dump, error, "something comes after the end of compressed data");
        if (!(unpack->zstd ? step_zstd : step_zlib)(unpack, &in, &out))
            return pgdump_corrupt(dump, error, "compressed data are damaged");
        pgdump_data_take(dump, unpack->out, out);
    }
    return true;
}

bool pgdump_unpack_end(PgDump *dump, GError **error)
{
    PgDumpUnpack *unpack = dump->unpack;
    bool whole = unpack->ended || !unpack->began;

    unpack->began = unpack->ended = false;
    if (!whole)
        return pgdump_corrupt(dump, error, "compressed data end early");
    return (unpack->zstd ? !ZSTD_isError(ZSTD_DCtx_reset(unpack->stream, ZSTD_reset_session_only))
                         : inflateReset(&unpack->zlib) == Z_OK) ||
           pgdump_corrupt(dump, error, "the decoder cannot begin anew");
}
