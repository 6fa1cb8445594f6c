/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of any size become fields. */
#include "source/pgdumping.h"
#include <string.h>

/* What an archive may ask of us. */
#define KEPT_MAX   (256u << 20) /* strings and entries, in sum */
#define STRING_MAX (1u << 20)   /* one that is kept */

typedef enum { KIND_BYTES, KIND_INT, KIND_STRING, KIND_CHUNK } Kind;

static const struct {
    Kind kind;
    uint8_t len;        /* of KIND_BYTES; 0: one byte and an offset */
    bool keep;          /* KIND_STRING: wanted as a whole */
    uint8_t from_minor; /* archive versions that have the field */
    uint8_t to_minor;
} places[N_PLACES] = {
    [AT_MAGIC] = { KIND_BYTES, 5, false, 0, 255 },
    [AT_VERSION] = { KIND_BYTES, 3, false, 0, 255 },
    [AT_SIZES] = { KIND_BYTES, 3, false, 0, 255 },
    [AT_LEVEL] = { KIND_INT, 0, false, 0, 14 },
    [AT_ALGORITHM] = { KIND_BYTES, 1, false, 15, 255 },
    [AT_DATE] = { KIND_INT, 0, false, 0, 255 },
    [AT_DATABASE] = { KIND_STRING, 0, true, 0, 255 },
    [AT_SERVER_VERSION] = { KIND_STRING, 0, true, 0, 255 },
    [AT_DUMP_VERSION] = { KIND_STRING, 0, true, 0, 255 },
    [AT_TOC_COUNT] = { KIND_INT, 0, false, 0, 255 },
    [AT_ID] = { KIND_INT, 0, false, 0, 255 },
    [AT_HAD_DUMPER] = { KIND_INT, 0, false, 0, 255 },
    [AT_CATALOG_TABLE] = { KIND_STRING, 0, false, 0, 255 },
    [AT_CATALOG_OID] = { KIND_STRING, 0, false, 0, 255 },
    [AT_TAG] = { KIND_STRING, 0, true, 0, 255 },
    [AT_DESC] = { KIND_STRING, 0, true, 0, 255 },
    [AT_SECTION] = { KIND_INT, 0, false, 0, 255 },
    [AT_DEFINITION] = { KIND_STRING, 0, false, 0, 255 },
    [AT_DROP] = { KIND_STRING, 0, false, 0, 255 },
    [AT_COPY] = { KIND_STRING, 0, false, 0, 255 },
    [AT_SCHEMA] = { KIND_STRING, 0, true, 0, 255 },
    [AT_TABLESPACE] = { KIND_STRING, 0, true, 0, 255 },
    [AT_ACCESS_METHOD] = { KIND_STRING, 0, false, 14, 255 },
    [AT_RELKIND] = { KIND_INT, 0, false, 16, 255 },
    [AT_OWNER] = { KIND_STRING, 0, true, 0, 255 },
    [AT_WITH_OIDS] = { KIND_STRING, 0, false, 0, 255 },
    [AT_DEPENDENCY] = { KIND_STRING, 0, true, 0, 255 },
    [AT_OFFSET] = { KIND_BYTES, 0, false, 0, 255 },
    [AT_FILE] = { KIND_STRING, 0, true, 0, 255 },
    [AT_BLOCK_TYPE] = { KIND_BYTES, 1, false, 0, 255 },
    [AT_BLOCK_ID] = { KIND_INT, 0, false, 0, 255 },
    [AT_OBJECT_OID] = { KIND_INT, 0, false, 0, 255 },
    [AT_CHUNK_LEN] = { KIND_INT, 0, false, 0, 255 },
    [AT_CHUNK] = { KIND_CHUNK, 0, false, 0, 255 },
};

void pgdump_next_place(PgDump *dump)
{
    do
        dump->place++;
    while (dump->header.minor < places[dump->place].from_minor ||
           dump->header.minor > places[dump->place].to_minor ||
           (dump->place == AT_OFFSET && dump->only_toc));
}

/* The next n bytes as one piece, or NULL when the slice has ended before. */
static const uint8_t *take(PgDump *dump, Slice *in, size_t n)
{
    const uint8_t *at = in->data;
    size_t part = MIN(n - dump->n_held, in->len);

    in->data += part;
    in->len -= part;
    dump->offset += part;
    if (dump->n_held == 0 && part == n)
        return at;
    memcpy(dump->held + dump->n_held, at, part);
    dump->n_held += part;
    if (dump->n_held < n)
        return NULL;
    dump->n_held = 0;
    return dump->held;
}

/* A sign, and the bytes from the lowest on. Magnitudes up to 2^31: object ids are written as int.
 */
static bool decode_int(const PgDump *dump, const uint8_t *field, int64_t *ret_value, GError **error)
{
    uint64_t value = 0;

    for (size_t i = dump->header.int_size; i > 0; i--)
        value = value << 8 | field[i];
    if (value > (uint64_t)G_MAXINT32 + (field[0] ? 1 : 0))
        return pgdump_corrupt(dump, error, "a number out of range");
    *ret_value = field[0] ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool keeps_definition(const PgDumpEntry *entry)
{
    return g_strcmp0(entry->desc, "ENCODING") == 0 ||
           g_strcmp0(entry->desc, "DATABASE PROPERTIES") == 0;
}

static bool string_begin(PgDump *dump, int64_t len, GError **error)
{
    dump->string_is_null = len < 0;
    dump->string_left = len < 0 ? 0 : (uint64_t)len;
    dump->string_kept =
        places[dump->place].keep || (dump->place == AT_DEFINITION && keeps_definition(dump->entry));
    // pg_dump writes no COPY statement, or an empty one, where the data are INSERT statements
    if (dump->place == AT_COPY)
        dump->entry->copied = len > 0;
    if (dump->place == AT_DROP && len > 0)
        dump->entry->drop_at = dump->offset;
    if (dump->place == AT_DEPENDENCY && len < 0)
        dump->entry->depends_end = dump->offset - (dump->header.int_size + 1);
    if (dump->string_kept &&
        (dump->string_left > STRING_MAX || dump->kept + dump->string_left > KEPT_MAX))
        return pgdump_corrupt(dump, error, "a table of contents larger than any real one");
    g_string_truncate(dump->string, 0);
    dump->in_string = true;
    return true;
}

static bool feed_string(PgDump *dump, Slice *in, GError **error)
{
    size_t n;

    if (!dump->in_string) {
        const uint8_t *field = take(dump, in, dump->header.int_size + 1);
        int64_t len = 0;

        if (!field)
            return true;
        if (!decode_int(dump, field, &len, error) || !string_begin(dump, len, error))
            return false;
    }
    n = (size_t)MIN((uint64_t)in->len, dump->string_left);
    if (dump->string_kept)
        g_string_append_len(dump->string, (const char *)in->data, (gssize)n);
    in->data += n;
    in->len -= n;
    dump->offset += n;
    dump->string_left -= n;
    if (dump->string_left > 0)
        return true;
    dump->in_string = false;
    return pgdump_on_string(dump, error);
}

static bool feed_field(PgDump *dump, Slice *in, GError **error)
{
    const uint8_t *field;
    size_t len = places[dump->place].len;
    int64_t value = 0;

    switch (places[dump->place].kind) {
    case KIND_BYTES:
        field = take(dump, in, len ? len : dump->offset_size + 1);
        return !field || pgdump_on_bytes(dump, field, error);
    case KIND_INT:
        field = take(dump, in, dump->header.int_size + 1);
        return !field ||
               (decode_int(dump, field, &value, error) && pgdump_on_int(dump, value, error));
    case KIND_STRING:
        return feed_string(dump, in, error);
    case KIND_CHUNK:
        return pgdump_chunk_take(dump, in, error);
    }
    g_assert_not_reached();
}

bool pgdump_feed(PgDump *dump, const void *data, size_t len, GError **error)
{
    Slice in = { data, len };

    while (in.len > 0 && !dump->failed) {
        dump->failed = !feed_field(dump, &in, error);
        if (dump->failed)
            return false;
        if (dump->toc_len == 0 && pgdump_toc_complete(dump))
            dump->toc_len = dump->fed + (len - in.len);
    }
    dump->fed += len;
    return !dump->failed || pgdump_corrupt(dump, error, "damaged further up");
}
