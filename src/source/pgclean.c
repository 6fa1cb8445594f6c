/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgclean.h"
#include <string.h>

static const char *const go_with_their_table[] = {
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "TRIGGER",
    NULL,
};

/* Ids of the tables that the dump attaches to another: the tie bears the partition's name. */
static GHashTable *partitions(const PgDump *dump)
{
    const GPtrArray *entries = pgdump_entries(dump);
    GHashTable *ids = g_hash_table_new(g_direct_hash, g_direct_equal);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];
        const PgDumpEntry *table = pgdump_attached(dump, entry);

        if (table)
            g_hash_table_add(ids, GINT_TO_POINTER(table->id));
    }
    return ids;
}

static bool depends_on_one_of(const PgDumpEntry *entry, GHashTable *ids)
{
    for (size_t i = 0; i < entry->n_depends_on; i++)
        if (g_hash_table_contains(ids, GINT_TO_POINTER(entry->depends_on[i])))
            return true;
    return false;
}

void pg_clean_prepare(const PgDump *dump, uint8_t *head, size_t len)
{
    const GPtrArray *entries = pgdump_entries(dump);
    g_autoptr(GHashTable) ids = partitions(dump);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (entry->drop_at == 0 || !g_strv_contains(go_with_their_table, entry->desc) ||
            !depends_on_one_of(entry, ids))
            continue;
        g_assert(entry->drop_at < len);
        // pg_restore takes the text as a C string, and an empty one for nothing to drop
        head[entry->drop_at] = '\0';
    }
}
