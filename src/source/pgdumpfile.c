/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdumpfile.h"

#include "base/error.h"
#include "codec/hash.h"
#include "source/pgunpack.h"
#include <string.h>

#define LIST_MAX (256u << 20) /* millions of large objects */
#define MARK_LEN 5u

static const char mark[MARK_LEN + 1] = "\\.\n\n\n";

struct PgDumpReader {
    PgDumpFile *file;
    PgDumpCompression how;
    PgUnpack *unpack; /* of the last packed file; NULL: none came */
    Hash *hash;
    uint8_t held[MARK_LEN]; /* the last bytes, which may be the mark */
    size_t n_held;
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
    return reader;
}

void pgdump_reader_free(PgDumpReader *reader)
{
    if (!reader)
        return;
    pg_unpack_free(reader->unpack);
    hash_free(reader->hash);
    g_free(reader);
}

static void unpack_begin(PgDumpReader *reader)
{
    static const PgUnpackFormat formats[] = {
        [PGDUMP_GZIP] = PG_UNPACK_GZIP, [PGDUMP_LZ4] = PG_UNPACK_LZ4, [PGDUMP_ZSTD] = PG_UNPACK_ZSTD
    };

    if (reader->unpack && pg_unpack_format(reader->unpack) != formats[reader->how])
        g_clear_pointer(&reader->unpack, pg_unpack_free);
    if (reader->unpack)
        pg_unpack_begin(reader->unpack);
    else
        reader->unpack = pg_unpack_new(formats[reader->how], true);
}

void pgdump_reader_begin(PgDumpReader *reader, PgDumpFile *file, PgDumpCompression how,
                         bool is_list)
{
    reader->file = file;
    reader->how = how;
    reader->n_held = 0;
    *file = (PgDumpFile){ .text = is_list ? g_string_new(NULL) : NULL };
    if (how != PGDUMP_PLAIN)
        unpack_begin(reader);
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

static bool take_unpacked(void *user, const uint8_t *data, size_t len, GError **error)
{
    return take(user, data, len, error);
}

bool pgdump_reader_feed(PgDumpReader *reader, const void *data, size_t len, GError **error)
{
    return reader->how == PGDUMP_PLAIN
               ? take(reader, data, len, error)
               : pg_unpack_feed(reader->unpack, data, len, take_unpacked, reader, error);
}

bool pgdump_reader_end(PgDumpReader *reader, GError **error)
{
    PgDumpFile *file = reader->file;

    // of a large object without bytes pg_dump 16 to 19 writes no LZ4 frame, nor one of zstd (16)
    if (reader->how != PGDUMP_PLAIN &&
        !pg_unpack_end(reader->unpack, reader->how != PGDUMP_GZIP, error))
        return false;
    file->marked = reader->n_held == MARK_LEN && memcmp(reader->held, mark, MARK_LEN) == 0;
    if (!file->marked)
        count(reader, reader->held, reader->n_held);
    hash_final(reader->hash, &file->sha256);
    return true;
}
