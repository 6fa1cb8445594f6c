/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdump.h"
#include "base/error.h"
#include "source/pgdumping.h"
#include <string.h>

static void entry_free(gpointer data)
{
    PgDumpEntry *entry = data;

    if (!entry)
        return;
    g_free(entry->desc);
    g_free(entry->schema);
    g_free(entry->tag);
    g_free(entry->owner);
    g_free(entry->tablespace);
    g_free(entry->file);
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
    dump->stage = pgdump_stage_new();
    return dump;
}

PgDump *pgdump_new_toc(void)
{
    PgDump *dump = pgdump_new();

    dump->only_toc = true;
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
    pg_unpack_free(dump->unpack);
    g_free(dump);
}

bool pgdump_corrupt(const PgDump *dump, GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump: %s (before byte %" G_GUINT64_FORMAT ")",
                what, dump->offset);
    return false;
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
        return pgdump_corrupt(dump, error, "damaged");
    if (!pgdump_toc_complete(dump))
        return pgdump_corrupt(dump, error, "it ends within its table of contents");
    missing = dump->only_toc ? NULL : first_incomplete(dump);
    if (missing) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "dump: it ends early, before the end of %s %s%s%s", missing->desc,
                    missing->schema ? missing->schema : "", missing->schema ? "." : "",
                    missing->tag);
        return false;
    }
    if (dump->place != AT_BLOCK_TYPE || dump->n_held)
        return pgdump_corrupt(dump, error, "it ends within a block of data");
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
