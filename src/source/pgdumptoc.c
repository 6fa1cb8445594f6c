/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of the header and of the table of contents say. */
#include "base/error.h"
#include "source/pgdumping.h"
#include <string.h>

#define MINOR_OLDEST 12 /* pg_dump 9.0 */
#define MINOR_NEWEST 16 /* pg_dump 17, 18 and 19 */

/* toc.dat says tar: only its place tells that it is of a directory (pg_backup_directory.c) */
enum { FORMAT_CUSTOM = 1, FORMAT_TAR = 3 };
enum { SECTION_POST_DATA = 4 };
enum { OFFSET_NOT_SET = 1, OFFSET_SET = 2, OFFSET_NO_DATA = 3 };

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

static bool entry_end(PgDump *dump, bool has_data, GError **error)
{
    PgDumpEntry *entry = dump->entry;

    if (!entry->desc || !entry->tag)
        return pgdump_corrupt(dump, error, "an entry without a name");
    if (!g_hash_table_insert(dump->by_id, GINT_TO_POINTER(entry->id), entry))
        return pgdump_corrupt(dump, error, "two entries with one number");
    entry->has_data = has_data;
    entry->n_depends_on = dump->depends_on->len;
    entry->depends_on = g_memdup2(dump->depends_on->data, dump->depends_on->len * sizeof(int));
    g_array_set_size(dump->depends_on, 0);
    g_ptr_array_add(dump->entries, g_steal_pointer(&dump->entry));
    dump->entries_left--;
    expect_entry(dump);
    return true;
}

static bool on_offset(PgDump *dump, uint8_t flag, GError **error)
{
    if (flag < OFFSET_NOT_SET || flag > OFFSET_NO_DATA)
        return pgdump_corrupt(dump, error, "an entry with an unknown kind of offset");
    if (flag == OFFSET_SET)
        dump->header.has_offsets = true;
    return entry_end(dump, flag != OFFSET_NO_DATA, error);
}

static bool on_version(PgDump *dump, const uint8_t *field, GError **error)
{
    if (field[0] > 1 || (field[0] == 1 && field[1] > MINOR_NEWEST)) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "dump: archive version %u.%u is newer than 1.%d (pg_dump 17 to 19), the newest "
                    "that this Backstay reads; use a newer Backstay, or dump with pg_dump 19 or "
                    "older, or as plain text (pg_dump --format=plain)",
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
    pgdump_next_place(dump);
    return true;
}

static bool on_sizes(PgDump *dump, const uint8_t *field, GError **error)
{
    dump->header.int_size = field[0];
    dump->offset_size = field[1];
    if (dump->header.int_size < 4 || dump->header.int_size > PGDUMP_FIELD_MAX - 1 ||
        dump->offset_size < 4 || dump->offset_size > PGDUMP_FIELD_MAX - 1)
        return pgdump_corrupt(dump, error, "impossible sizes of numbers");
    if (field[2] != (dump->only_toc ? FORMAT_TAR : FORMAT_CUSTOM)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    dump->only_toc
                        ? "dump: toc.dat is not of a dump in directory format"
                        : "dump: not in custom format; dump with pg_dump --format=custom");
        return false;
    }
    dump->date_left = 7;
    pgdump_next_place(dump);
    return true;
}

bool pgdump_on_bytes(PgDump *dump, const uint8_t *field, GError **error)
{
    switch (dump->place) {
    case AT_MAGIC:
        if (memcmp(field, "PGDMP", 5) != 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "dump: not an archive of pg_dump in custom format");
            return false;
        }
        pgdump_next_place(dump);
        return true;
    case AT_VERSION:
        return on_version(dump, field, error);
    case AT_SIZES:
        return on_sizes(dump, field, error);
    case AT_ALGORITHM:
        if (field[0] > PGDUMP_ZSTD)
            return pgdump_corrupt(dump, error, "an unknown compression");
        dump->header.compression = field[0];
        pgdump_next_place(dump);
        return true;
    case AT_OFFSET:
        return on_offset(dump, field[0], error);
    default:
        return pgdump_on_block_type(dump, field[0], error);
    }
}

bool pgdump_on_int(PgDump *dump, int64_t value, GError **error)
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
            return pgdump_corrupt(dump, error, "a negative number of entries");
        dump->entries_left = value;
        expect_entry(dump);
        return true;
    case AT_ID:
        if (value <= 0)
            return pgdump_corrupt(dump, error, "an entry without a number");
        dump->entry->id = (int)value;
        break;
    case AT_SECTION:
        dump->entry->is_post_data = value == SECTION_POST_DATA;
        break;
    case AT_BLOCK_ID:
        return pgdump_block_begin(dump, value, error);
    case AT_OBJECT_OID:
        return pgdump_object_begin(dump, value, error);
    case AT_CHUNK_LEN:
        return pgdump_chunk_begin(dump, value, error);
    default:
        break;
    }
    pgdump_next_place(dump);
    return true;
}

/* text: NULL for a null string. */
static bool on_dependency(PgDump *dump, const char *text, GError **error)
{
    char *end;
    guint64 id;
    int number;

    if (!text) {
        pgdump_next_place(dump);
        return true;
    }
    id = g_ascii_strtoull(text, &end, 10);
    if (end == text || *end || id > G_MAXINT)
        return pgdump_corrupt(dump, error, "a dependency that is no number");
    number = (int)id;
    g_array_append_val(dump->depends_on, number);
    return true;
}

/* Where a string that is kept goes; NULL: it is not just kept. */
static char **slot_of(PgDump *dump)
{
    switch (dump->place) {
    case AT_DATABASE:
        return &dump->header.database;
    case AT_SERVER_VERSION:
        return &dump->header.server_version;
    case AT_DUMP_VERSION:
        return &dump->header.dump_version;
    case AT_TAG:
        return &dump->entry->tag;
    case AT_DESC:
        return &dump->entry->desc;
    case AT_DEFINITION:
        return &dump->entry->definition;
    case AT_SCHEMA:
        return &dump->entry->schema;
    case AT_TABLESPACE:
        return &dump->entry->tablespace;
    case AT_OWNER:
        return &dump->entry->owner;
    default:
        return NULL;
    }
}

bool pgdump_on_string(PgDump *dump, GError **error)
{
    char *text = NULL, **slot = slot_of(dump);

    if (!dump->string_is_null && dump->string_kept) {
        if (strlen(dump->string->str) != dump->string->len)
            return pgdump_corrupt(dump, error, "a name with a zero byte");
        dump->kept += dump->string->len + 1;
        if (dump->place == AT_DEPENDENCY)
            return on_dependency(dump, dump->string->str, error);
        text = g_strndup(dump->string->str, dump->string->len);
    }
    if (dump->place == AT_DEPENDENCY)
        return on_dependency(dump, NULL, error);
    if (dump->place == AT_FILE) {
        if (text && !*text)
            g_clear_pointer(&text, g_free);
        dump->entry->file = text;
        return entry_end(dump, text != NULL, error);
    }
    g_assert(slot || !text);
    if (slot)
        *slot = text;
    pgdump_next_place(dump);
    return true;
}
