/* SPDX-License-Identifier: Apache-2.0 */
/* The data of an entry: counted, hashed, and followed to their end. */
#include "base/error.h"
#include "source/pgdumping.h"
#include <string.h>

#define STAGE_LEN (64u << 10)

static const char copy_end[] = "\\.\n\n\n";
#define COPY_END_LEN (sizeof copy_end - 1)

enum { BLOCK_DATA = 1, BLOCK_LARGE_OBJECTS = 3 };

uint8_t *pgdump_stage_new(void)
{
    return g_malloc(STAGE_LEN);
}

static int64_t count_lines(const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    int64_t lines = 0;

    while ((data = memchr(data, '\n', (size_t)(end - data)))) {
        data++;
        lines++;
    }
    return lines;
}

static void stage_flush(PgDump *dump, size_t keep)
{
    size_t n = dump->n_staged - keep;

    if (dump->block->copied)
        dump->block->rows += count_lines(dump->stage, n);
    hash_update(dump->hash, dump->stage, n);
    memmove(dump->stage, dump->stage + n, keep);
    dump->n_staged = keep;
}

/* The end marker may come cut in any way, so the last bytes wait. */
static void stage_add(PgDump *dump, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t n = MIN(len, STAGE_LEN - dump->n_staged);

        memcpy(dump->stage + dump->n_staged, data, n);
        dump->n_staged += n;
        data += n;
        len -= n;
        if (dump->n_staged == STAGE_LEN)
            stage_flush(dump, COPY_END_LEN);
    }
}

static bool block_end(PgDump *dump, GError **error)
{
    PgDumpEntry *block = dump->block;

    if (block->copied && block->hashed) {
        if (dump->n_staged < COPY_END_LEN ||
            memcmp(dump->stage + dump->n_staged - COPY_END_LEN, copy_end, COPY_END_LEN) != 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "dump: the data of table %s.%s has no end marker", block->schema,
                        block->tag);
            return false;
        }
        dump->n_staged -= COPY_END_LEN;
        block->bytes -= COPY_END_LEN;
    }
    if (block->hashed) {
        stage_flush(dump, 0);
        hash_final(dump->hash, &block->sha256);
    }
    block->complete = true;
    dump->block = NULL;
    dump->in_large_objects = false;
    dump->place = AT_BLOCK_TYPE;
    return true;
}

/* Each block, and each large object, is a stream of its own. */
static const PgUnpackFormat formats[] = {
    [PGDUMP_GZIP] = PG_UNPACK_ZLIB, [PGDUMP_LZ4] = PG_UNPACK_LZ4, [PGDUMP_ZSTD] = PG_UNPACK_ZSTD
};

bool pgdump_block_begin(PgDump *dump, int64_t id, GError **error)
{
    PgDumpEntry *block = g_hash_table_lookup(dump->by_id, GINT_TO_POINTER((int)id));

    if (!block || !block->has_data)
        return pgdump_corrupt(dump, error, "a block of data belongs to no entry");
    if (block->complete)
        return pgdump_corrupt(dump, error, "an entry has two blocks of data");
    if (!dump->unpack && dump->header.compression != PGDUMP_PLAIN)
        dump->unpack = pg_unpack_new(formats[dump->header.compression], false);
    dump->block = block;
    block->rows = block->copied ? 0 : -1;
    block->hashed = !dump->in_large_objects;
    dump->place = dump->in_large_objects ? AT_OBJECT_OID : AT_CHUNK_LEN;
    return true;
}

bool pgdump_object_begin(PgDump *dump, int64_t oid, GError **error)
{
    if (oid == 0)
        return block_end(dump, error);
    dump->n_objects++;
    dump->place = AT_CHUNK_LEN;
    return true;
}

/* Says where in the archive it is. */
static bool located(PgDump *dump, bool ok, GError *failure, GError **error)
{
    if (!ok)
        (void)pgdump_corrupt(dump, error, failure->message);
    g_clear_error(&failure);
    return ok;
}

static bool stream_end(PgDump *dump, GError **error)
{
    GError *failure = NULL;
    bool ok = pg_unpack_end(dump->unpack, true, &failure);

    pg_unpack_begin(dump->unpack);
    return located(dump, ok, failure, error);
}

bool pgdump_chunk_begin(PgDump *dump, int64_t len, GError **error)
{
    if (len < 0)
        return pgdump_corrupt(dump, error, "a negative length of data");
    if (len > 0) {
        dump->chunk_left = (uint64_t)len;
        dump->place = AT_CHUNK;
        return true;
    }
    if (dump->unpack && !stream_end(dump, error))
        return false;
    if (!dump->in_large_objects)
        return block_end(dump, error);
    dump->place = AT_OBJECT_OID;
    return true;
}

/* Data of the block, unpacked. */
static bool data_take(void *user, const uint8_t *data, size_t len, G_GNUC_UNUSED GError **error)
{
    PgDump *dump = user;

    if (dump->block->hashed)
        stage_add(dump, data, len);
    dump->block->bytes += len;
    if (dump->in_large_objects)
        dump->object_bytes += len;
    return true;
}

static bool stream_feed(PgDump *dump, const uint8_t *data, size_t len, GError **error)
{
    GError *failure = NULL;
    bool ok = pg_unpack_feed(dump->unpack, data, len, data_take, dump, &failure);

    return located(dump, ok, failure, error);
}

bool pgdump_chunk_take(PgDump *dump, Slice *in, GError **error)
{
    size_t n = (size_t)MIN((uint64_t)in->len, dump->chunk_left);

    if (!(dump->unpack ? stream_feed(dump, in->data, n, error)
                       : data_take(dump, in->data, n, error)))
        return false;
    in->data += n;
    in->len -= n;
    dump->offset += n;
    dump->chunk_left -= n;
    if (dump->chunk_left == 0)
        dump->place = AT_CHUNK_LEN;
    return true;
}

bool pgdump_on_block_type(PgDump *dump, uint8_t type, GError **error)
{
    if (dump->only_toc)
        return pgdump_corrupt(dump, error, "toc.dat goes on behind its table of contents");
    if (type != BLOCK_DATA && type != BLOCK_LARGE_OBJECTS)
        return pgdump_corrupt(dump, error, "an unknown kind of block");
    dump->in_large_objects = type == BLOCK_LARGE_OBJECTS;
    dump->place = AT_BLOCK_ID;
    return true;
}
