/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdumpfile.h"

#include "base/error.h"
#include "codec/hash.h"
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define OUT_LEN  (256u << 10)
#define LIST_MAX (256u << 20) /* millions of large objects */
#define MARK_LEN 5u

static const char mark[MARK_LEN + 1] = "\\.\n\n\n";

struct PgDumpReader {
    PgDumpFile *file;
    PgDumpCompression how;
    bool ended; /* the packed stream */
    z_stream zlib;
    bool zlib_open;
    ZSTD_DStream *zstd;
    Hash *hash;
    uint8_t held[MARK_LEN]; /* the last bytes, which may be the mark */
    size_t n_held;
    uint8_t *out;
};

void pgdump_file_clear(PgDumpFile *file)
{
    if (file->text)
        g_string_free(file->text, TRUE);
    file->text = NULL;
}

PgDumpReader *pgdump_reader_new(void)
{
    PgDumpReader *reader = g_new0(PgDumpReader, 1);

    reader->hash = hash_new();
    reader->out = g_malloc(OUT_LEN);
    return reader;
}

static void close_zlib(PgDumpReader *reader)
{
    if (reader->zlib_open)
        (void)inflateEnd(&reader->zlib); // only tells that it was in the middle
    reader->zlib_open = false;
}

void pgdump_reader_free(PgDumpReader *reader)
{
    if (!reader)
        return;
    close_zlib(reader);
    (void)ZSTD_freeDStream(reader->zstd); // takes NULL, cannot fail
    hash_free(reader->hash);
    g_free(reader->out);
    g_free(reader);
}

void pgdump_reader_begin(PgDumpReader *reader, PgDumpFile *file, PgDumpCompression how,
                         bool is_list)
{
    reader->file = file;
    reader->how = how;
    reader->ended = false;
    reader->n_held = 0;
    *file = (PgDumpFile){ .text = is_list ? g_string_new(NULL) : NULL };
    close_zlib(reader);
    if (how == PGDUMP_GZIP) {
        reader->zlib = (z_stream){ 0 };
        g_assert(inflateInit2(&reader->zlib, 16 + MAX_WBITS) == Z_OK);
        reader->zlib_open = true;
    } else if (how == PGDUMP_ZSTD) {
        if (!reader->zstd)
            g_assert((reader->zstd = ZSTD_createDStream()));
        g_assert(!ZSTD_isError(ZSTD_DCtx_reset(reader->zstd, ZSTD_reset_session_only)));
    }
}

/* ---- what it holds ---- */

static void count(PgDumpReader *reader, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;

    hash_update(reader->hash, data, len);
    reader->file->bytes += len;
    while ((data = memchr(data, '\n', (size_t)(end - data)))) {
        data++;
        reader->file->lines++;
    }
}

/* All but the last bytes. */
static bool take(PgDumpReader *reader, const uint8_t *data, size_t len, GError **error)
{
    size_t old = reader->n_held + len <= MARK_LEN ? 0
                 : len >= MARK_LEN                ? reader->n_held
                                                  : reader->n_held + len - MARK_LEN;
    size_t fresh = len > MARK_LEN ? len - MARK_LEN : 0;

    if (reader->file->text) {
        if (reader->file->text->len + len > LIST_MAX) {
            g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "larger than any real one");
            return false;
        }
        g_string_append_len(reader->file->text, (const char *)data, (gssize)len);
    }
    count(reader, reader->held, old);
    memmove(reader->held, reader->held + old, reader->n_held - old);
    reader->n_held -= old;
    count(reader, data, fresh);
    memcpy(reader->held + reader->n_held, data + fresh, len - fresh);
    reader->n_held += len - fresh;
    return true;
}

/* ---- what is packed ---- */

static bool damaged(GError **error)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "packed data are damaged");
    return false;
}

/* Members may follow one another (RFC 1952, 2.2). */
static bool step_gzip(PgDumpReader *reader, const uint8_t **data, size_t *len, size_t *ret_out)
{
    z_stream *zlib = &reader->zlib;
    int status;

    if (reader->ended && inflateReset(zlib) != Z_OK)
        return false;
    zlib->next_in = (Bytef *)*data;
    zlib->avail_in = (uInt)MIN(*len, G_MAXINT);
    zlib->next_out = reader->out;
    zlib->avail_out = OUT_LEN;
    status = inflate(zlib, Z_NO_FLUSH);
    *len -= (size_t)(zlib->next_in - *data);
    *data = zlib->next_in;
    *ret_out = OUT_LEN - zlib->avail_out;
    reader->ended = status == Z_STREAM_END;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
}

static bool step_zstd(PgDumpReader *reader, const uint8_t **data, size_t *len, size_t *ret_out)
{
    ZSTD_inBuffer input = { *data, *len, 0 };
    ZSTD_outBuffer output = { reader->out, OUT_LEN, 0 };
    size_t left = ZSTD_decompressStream(reader->zstd, &output, &input);

    if (ZSTD_isError(left))
        return false;
    *data += input.pos;
    *len -= input.pos;
    *ret_out = output.pos;
    reader->ended = left == 0;
    return true;
}

bool pgdump_reader_feed(PgDumpReader *reader, const void *bytes, size_t len, GError **error)
{
    const uint8_t *data = bytes;
    size_t out = 0;

    if (reader->how == PGDUMP_PLAIN)
        return take(reader, data, len, error);
    // what fills the room may not be all that came of it
    while (len > 0 || (out == OUT_LEN && !reader->ended)) {
        if (!(reader->how == PGDUMP_GZIP ? step_gzip : step_zstd)(reader, &data, &len, &out))
            return damaged(error);
        if (!take(reader, reader->out, out, error))
            return false;
    }
    return true;
}

bool pgdump_reader_end(PgDumpReader *reader, GError **error)
{
    PgDumpFile *file = reader->file;

    if (reader->how != PGDUMP_PLAIN && !reader->ended) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "packed data end early");
        return false;
    }
    file->marked = reader->n_held == MARK_LEN && memcmp(reader->held, mark, MARK_LEN) == 0;
    if (!file->marked)
        count(reader, reader->held, reader->n_held);
    hash_final(reader->hash, &file->sha256);
    return true;
}
