/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdump.h"
#include "base/error.h"
#include "codec/hash.h"
#include <string.h>

#define MINOR_OLDEST 12 /* pg_dump 9.0 */
#define MINOR_NEWEST 16 /* pg_dump 17, 18 and 19 */

/* What an archive may ask of us. */
#define KEPT_MAX   (256u << 20) /* strings and entries, in sum */
#define STRING_MAX (1u << 20)   /* one that is kept */
#define FIELD_MAX  9            /* sign and eight bytes; flag and offset */

#define STAGE_LEN (64u << 10)

static const char copy_end[] = "\\.\n\n\n";
#define COPY_END_LEN (sizeof copy_end - 1)

enum { FORMAT_CUSTOM = 1 };
enum { BLOCK_DATA = 1, BLOCK_LARGE_OBJECTS = 3 };
enum { OFFSET_NOT_SET = 1, OFFSET_SET = 2, OFFSET_NO_DATA = 3 };

/* An archive is a sequence of fields; after the table of contents they repeat. */
typedef enum {
    AT_MAGIC,
    AT_VERSION,
    AT_SIZES,
    AT_LEVEL,
    AT_ALGORITHM,
    AT_DATE, /* seven integers */
    AT_DATABASE,
    AT_SERVER_VERSION,
    AT_DUMP_VERSION,
    AT_TOC_COUNT,

    AT_ID,
    AT_HAD_DUMPER,
    AT_CATALOG_TABLE,
    AT_CATALOG_OID,
    AT_TAG,
    AT_DESC,
    AT_SECTION,
    AT_DEFINITION,
    AT_DROP,
    AT_COPY,
    AT_SCHEMA,
    AT_TABLESPACE,
    AT_ACCESS_METHOD,
    AT_RELKIND,
    AT_OWNER,
    AT_WITH_OIDS,
    AT_DEPENDENCY, /* until one is NULL */
    AT_OFFSET,

    AT_BLOCK_TYPE,
    AT_BLOCK_ID,
    AT_OBJECT_OID, /* of a large object; 0: no more */
    AT_CHUNK_LEN,  /* 0: end of the data */
    AT_CHUNK,
    N_PLACES
} Place;

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
    [AT_TABLESPACE] = { KIND_STRING, 0, false, 0, 255 },
    [AT_ACCESS_METHOD] = { KIND_STRING, 0, false, 14, 255 },
    [AT_RELKIND] = { KIND_INT, 0, false, 16, 255 },
    [AT_OWNER] = { KIND_STRING, 0, true, 0, 255 },
    [AT_WITH_OIDS] = { KIND_STRING, 0, false, 0, 255 },
    [AT_DEPENDENCY] = { KIND_STRING, 0, true, 0, 255 },
    [AT_OFFSET] = { KIND_BYTES, 0, false, 0, 255 },
    [AT_BLOCK_TYPE] = { KIND_BYTES, 1, false, 0, 255 },
    [AT_BLOCK_ID] = { KIND_INT, 0, false, 0, 255 },
    [AT_OBJECT_OID] = { KIND_INT, 0, false, 0, 255 },
    [AT_CHUNK_LEN] = { KIND_INT, 0, false, 0, 255 },
    [AT_CHUNK] = { KIND_CHUNK, 0, false, 0, 255 },
};

struct PgDump {
    Place place;
    bool failed;
    uint64_t offset; /* bytes seen, for error texts */
    uint64_t fed, toc_len;

    uint8_t held[FIELD_MAX]; /* the beginning of a field that the last slice cut */
    size_t n_held;

    bool in_string;
    bool string_is_null;
    uint64_t string_left;
    bool string_kept;
    GString *string;

    size_t int_size, offset_size;
    int date_left;
    PgDumpHeader header;
    size_t kept;

    int64_t entries_left;
    GPtrArray *entries;
    GHashTable *by_id;  /* id -> PgDumpEntry */
    PgDumpEntry *entry; /* being read */
    GArray *depends_on;
    size_t n_data, n_complete;

    PgDumpEntry *block; /* whose data is being read */
    bool in_large_objects;
    uint64_t chunk_left;
    uint64_t n_objects, object_bytes;
    Hash *hash;
    uint8_t *stage; /* COPY text gathered: rows come in chunks of their own */
    size_t n_staged;
};

typedef struct {
    const uint8_t *data;
    size_t len;
} Slice;

static void entry_free(gpointer data)
{
    PgDumpEntry *entry = data;

    if (!entry)
        return;
    g_free(entry->desc);
    g_free(entry->schema);
    g_free(entry->tag);
    g_free(entry->owner);
    g_free(entry->definition);
    g_free(entry->depends_on);
    g_free(entry);
}

PgDump *pgdump_new(void)
{
    PgDump *dump = g_new0(PgDump, 1);

    dump->string = g_string_new(NULL);
    dump->entries = g_ptr_array_new_with_free_func(entry_free);
    dump->by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
    dump->depends_on = g_array_new(FALSE, FALSE, sizeof(int));
    dump->hash = hash_new();
    dump->stage = g_malloc(STAGE_LEN);
    return dump;
}

void pgdump_free(PgDump *dump)
{
    if (!dump)
        return;
    g_free(dump->header.database);
    g_free(dump->header.server_version);
    g_free(dump->header.dump_version);
    g_string_free(dump->string, TRUE);
    g_hash_table_unref(dump->by_id);
    g_ptr_array_unref(dump->entries);
    entry_free(dump->entry);
    g_array_unref(dump->depends_on);
    hash_free(dump->hash);
    g_free(dump->stage);
    g_free(dump);
}

static bool corrupt(const PgDump *dump, GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump: %s (before byte %" G_GUINT64_FORMAT ")",
                what, dump->offset);
    return false;
}

/* ---- data of a block ---- */

static void stage_flush(PgDump *dump, size_t keep)
{
    size_t n = dump->n_staged - keep;
    int64_t rows = 0;

    for (size_t i = 0; i < n; i++)
        rows += dump->stage[i] == '\n';
    if (dump->block->copied)
        dump->block->rows += rows;
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
    dump->n_complete++;
    dump->block = NULL;
    dump->in_large_objects = false;
    dump->place = AT_BLOCK_TYPE;
    return true;
}

static bool block_begin(PgDump *dump, int64_t id, GError **error)
{
    PgDumpEntry *block = g_hash_table_lookup(dump->by_id, GINT_TO_POINTER((int)id));
    bool plain = dump->header.compression == PGDUMP_PLAIN;

    if (!block || !block->has_data)
        return corrupt(dump, error, "a block of data belongs to no entry");
    if (block->complete)
        return corrupt(dump, error, "an entry has two blocks of data");
    dump->block = block;
    block->rows = block->copied && plain ? 0 : -1;
    block->hashed = plain && !dump->in_large_objects;
    dump->place = dump->in_large_objects ? AT_OBJECT_OID : AT_CHUNK_LEN;
    return true;
}

static bool chunk_begin(PgDump *dump, int64_t len, GError **error)
{
    if (len < 0)
        return corrupt(dump, error, "a negative length of data");
    if (len > 0) {
        dump->chunk_left = (uint64_t)len;
        dump->place = AT_CHUNK;
        return true;
    }
    if (!dump->in_large_objects)
        return block_end(dump, error);
    dump->place = AT_OBJECT_OID;
    return true;
}

static void chunk_take(PgDump *dump, Slice *in)
{
    size_t n = (size_t)MIN((uint64_t)in->len, dump->chunk_left);

    if (dump->block->hashed)
        stage_add(dump, in->data, n);
    dump->block->bytes += n;
    if (dump->in_large_objects)
        dump->object_bytes += n;
    in->data += n;
    in->len -= n;
    dump->offset += n;
    dump->chunk_left -= n;
    if (dump->chunk_left == 0)
        dump->place = AT_CHUNK_LEN;
}

/* ---- fields ---- */

static void next_place(PgDump *dump)
{
    do
        dump->place++;
    while (dump->header.minor < places[dump->place].from_minor ||
           dump->header.minor > places[dump->place].to_minor);
}

static void expect_entry(PgDump *dump)
{
    if (dump->entries_left == 0) {
        dump->place = AT_BLOCK_TYPE;
        return;
    }
    dump->entry = g_new0(PgDumpEntry, 1);
    dump->entry->rows = -1;
    dump->kept += sizeof(PgDumpEntry);
    dump->place = AT_ID;
}

static bool entry_end(PgDump *dump, uint8_t offset_flag, GError **error)
{
    PgDumpEntry *entry = dump->entry;

    if (offset_flag < OFFSET_NOT_SET || offset_flag > OFFSET_NO_DATA)
        return corrupt(dump, error, "an entry with an unknown kind of offset");
    if (!entry->desc || !entry->tag)
        return corrupt(dump, error, "an entry without a name");
    if (!g_hash_table_insert(dump->by_id, GINT_TO_POINTER(entry->id), entry))
        return corrupt(dump, error, "two entries with one number");
    entry->has_data = offset_flag != OFFSET_NO_DATA;
    dump->n_data += entry->has_data;
    entry->n_depends_on = dump->depends_on->len;
    entry->depends_on = g_memdup2(dump->depends_on->data, dump->depends_on->len * sizeof(int));
    g_array_set_size(dump->depends_on, 0);
    g_ptr_array_add(dump->entries, g_steal_pointer(&dump->entry));
    dump->entries_left--;
    expect_entry(dump);
    return true;
}

static bool on_version(PgDump *dump, const uint8_t *field, GError **error)
{
    if (field[0] > 1 || (field[0] == 1 && field[1] > MINOR_NEWEST)) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "dump: archive version %u.%u is newer than 1.%d (pg_dump 17 to 19), the newest "
                    "that this Backstay reads",
                    field[0], field[1], MINOR_NEWEST);
        return false;
    }
    if (field[0] != 1 || field[1] < MINOR_OLDEST) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "dump: archive version %u.%u is older than 1.%d (pg_dump 9.0)", field[0],
                    field[1], MINOR_OLDEST);
        return false;
    }
    dump->header.minor = field[1];
    next_place(dump);
    return true;
}

static bool on_sizes(PgDump *dump, const uint8_t *field, GError **error)
{
    dump->int_size = field[0];
    dump->offset_size = field[1];
    if (dump->int_size < 4 || dump->int_size > FIELD_MAX - 1 || dump->offset_size < 4 ||
        dump->offset_size > FIELD_MAX - 1)
        return corrupt(dump, error, "impossible sizes of numbers");
    if (field[2] != FORMAT_CUSTOM) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "dump: not in custom format; dump with pg_dump --format=custom");
        return false;
    }
    dump->date_left = 7;
    next_place(dump);
    return true;
}

static bool on_block_type(PgDump *dump, uint8_t type, GError **error)
{
    if (type != BLOCK_DATA && type != BLOCK_LARGE_OBJECTS)
        return corrupt(dump, error, "an unknown kind of block");
    dump->in_large_objects = type == BLOCK_LARGE_OBJECTS;
    dump->place = AT_BLOCK_ID;
    return true;
}

static bool on_bytes(PgDump *dump, const uint8_t *field, GError **error)
{
    switch (dump->place) {
    case AT_MAGIC:
        if (memcmp(field, "PGDMP", 5) != 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "dump: not an archive of pg_dump in custom format");
            return false;
        }
        next_place(dump);
        return true;
    case AT_VERSION:
        return on_version(dump, field, error);
    case AT_SIZES:
        return on_sizes(dump, field, error);
    case AT_ALGORITHM:
        if (field[0] > PGDUMP_ZSTD)
            return corrupt(dump, error, "an unknown compression");
        dump->header.compression = field[0];
        next_place(dump);
        return true;
    case AT_OFFSET:
        return entry_end(dump, field[0], error);
    default:
        return on_block_type(dump, field[0], error);
    }
}

static bool on_int(PgDump *dump, int64_t value, GError **error)
{
    switch (dump->place) {
    case AT_LEVEL:
        dump->header.compression = value ? PGDUMP_GZIP : PGDUMP_PLAIN;
        break;
    case AT_DATE:
        if (--dump->date_left > 0)
            return true;
        break;
    case AT_TOC_COUNT:
        if (value < 0)
            return corrupt(dump, error, "a negative number of entries");
        dump->entries_left = value;
        expect_entry(dump);
        return true;
    case AT_ID:
        if (value <= 0)
            return corrupt(dump, error, "an entry without a number");
        dump->entry->id = (int)value;
        break;
    case AT_BLOCK_ID:
        return block_begin(dump, value, error);
    case AT_OBJECT_OID:
        if (value == 0)
            return block_end(dump, error);
        dump->n_objects++;
        dump->place = AT_CHUNK_LEN;
        return true;
    case AT_CHUNK_LEN:
        return chunk_begin(dump, value, error);
    default:
        break;
    }
    next_place(dump);
    return true;
}

/* text: NULL for a null string. */
static bool on_dependency(PgDump *dump, const char *text, GError **error)
{
    char *end;
    guint64 id;
    int number;

    if (!text) {
        next_place(dump);
        return true;
    }
    id = g_ascii_strtoull(text, &end, 10);
    if (end == text || *end || id > G_MAXINT)
        return corrupt(dump, error, "a dependency that is no number");
    number = (int)id;
    g_array_append_val(dump->depends_on, number);
    return true;
}

static bool on_string(PgDump *dump, GError **error)
{
    char *text = NULL;

    if (!dump->string_is_null && dump->string_kept) {
        if (strlen(dump->string->str) != dump->string->len)
            return corrupt(dump, error, "a name with a zero byte");
        dump->kept += dump->string->len + 1;
        if (dump->place == AT_DEPENDENCY)
            return on_dependency(dump, dump->string->str, error);
        text = g_strndup(dump->string->str, dump->string->len);
    }
    switch (dump->place) {
    case AT_DATABASE:
        dump->header.database = text;
        break;
    case AT_SERVER_VERSION:
        dump->header.server_version = text;
        break;
    case AT_DUMP_VERSION:
        dump->header.dump_version = text;
        break;
    case AT_TAG:
        dump->entry->tag = text;
        break;
    case AT_DESC:
        dump->entry->desc = text;
        break;
    case AT_DEFINITION:
        dump->entry->definition = text;
        break;
    case AT_SCHEMA:
        dump->entry->schema = text;
        break;
    case AT_OWNER:
        dump->entry->owner = text;
        break;
    case AT_DEPENDENCY:
        return on_dependency(dump, NULL, error);
    default:
        g_assert(!text);
        break;
    }
    next_place(dump);
    return true;
}

/* ---- slices to fields ---- */

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

    for (size_t i = dump->int_size; i > 0; i--)
        value = value << 8 | field[i];
    if (value > (uint64_t)G_MAXINT32 + (field[0] ? 1 : 0))
        return corrupt(dump, error, "a number out of range");
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
    if (dump->string_kept &&
        (dump->string_left > STRING_MAX || dump->kept + dump->string_left > KEPT_MAX))
        return corrupt(dump, error, "a table of contents larger than any real one");
    g_string_truncate(dump->string, 0);
    dump->in_string = true;
    return true;
}

static bool feed_string(PgDump *dump, Slice *in, GError **error)
{
    size_t n;

    if (!dump->in_string) {
        const uint8_t *field = take(dump, in, dump->int_size + 1);
        int64_t len;

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
    return on_string(dump, error);
}

static bool feed_field(PgDump *dump, Slice *in, GError **error)
{
    const uint8_t *field;
    size_t len = places[dump->place].len;
    int64_t value;

    switch (places[dump->place].kind) {
    case KIND_BYTES:
        field = take(dump, in, len ? len : dump->offset_size + 1);
        return !field || on_bytes(dump, field, error);
    case KIND_INT:
        field = take(dump, in, dump->int_size + 1);
        return !field || (decode_int(dump, field, &value, error) && on_int(dump, value, error));
    case KIND_STRING:
        return feed_string(dump, in, error);
    case KIND_CHUNK:
        chunk_take(dump, in);
        return true;
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
    return !dump->failed || corrupt(dump, error, "damaged further up");
}

static const PgDumpEntry *first_incomplete(const PgDump *dump)
{
    for (guint i = 0; i < dump->entries->len; i++) {
        const PgDumpEntry *entry = dump->entries->pdata[i];

        if (entry->has_data && !entry->complete)
            return entry;
    }
    return NULL;
}

bool pgdump_finish(PgDump *dump, GError **error)
{
    const PgDumpEntry *missing;

    if (dump->failed)
        return corrupt(dump, error, "damaged");
    if (!pgdump_toc_complete(dump))
        return corrupt(dump, error, "it ends within its table of contents");
    missing = first_incomplete(dump);
    if (missing) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "dump: it ends early, before the end of %s %s%s%s", missing->desc,
                    missing->schema ? missing->schema : "", missing->schema ? "." : "",
                    missing->tag);
        return false;
    }
    if (dump->place != AT_BLOCK_TYPE || dump->n_held)
        return corrupt(dump, error, "it ends within a block of data");
    return true;
}

bool pgdump_toc_complete(const PgDump *dump)
{
    return dump->place >= AT_BLOCK_TYPE;
}

uint64_t pgdump_toc_len(const PgDump *dump)
{
    return dump->toc_len;
}

const PgDumpHeader *pgdump_header(const PgDump *dump)
{
    return &dump->header;
}

const GPtrArray *pgdump_entries(const PgDump *dump)
{
    return dump->entries;
}

/* Its other dependency is the parent; the entry itself bears the partition's name. */
const PgDumpEntry *pgdump_attached(const PgDump *dump, const PgDumpEntry *entry)
{
    if (strcmp(entry->desc, "TABLE ATTACH") != 0)
        return NULL;
    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const PgDumpEntry *table =
            g_hash_table_lookup(dump->by_id, GINT_TO_POINTER(entry->depends_on[i]));

        if (table && strcmp(table->tag, entry->tag) == 0 &&
            g_strcmp0(table->schema, entry->schema) == 0)
            return table;
    }
    return NULL;
}

char *pgdump_encoding(const PgDump *dump)
{
    for (guint i = 0; i < dump->entries->len; i++) {
        const PgDumpEntry *entry = dump->entries->pdata[i];
        // SET client_encoding = 'UTF8';
        const char *begin = strcmp(entry->desc, "ENCODING") == 0 && entry->definition
                                ? strchr(entry->definition, '\'')
                                : NULL;

        if (begin)
            return g_strndup(begin + 1, strcspn(begin + 1, "'"));
    }
    return NULL;
}

void pgdump_large_objects(const PgDump *dump, uint64_t *ret_count, uint64_t *ret_bytes)
{
    *ret_count = dump->n_objects;
    *ret_bytes = dump->object_bytes;
}
