/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pglocks.h"
#include <string.h>

/* Who is attached to whom, or inherits; by the ids of their entries. */
typedef struct {
    GHashTable *tables;             /* ids of all tables: a set */
    GHashTable *parents, *children; /* id -> GArray of int */
} Family;

static void family_clear(Family *family)
{
    g_clear_pointer(&family->tables, g_hash_table_unref);
    g_clear_pointer(&family->parents, g_hash_table_unref);
    g_clear_pointer(&family->children, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Family, family_clear)

static bool is_table(const PgDumpEntry *entry)
{
    return strcmp(entry->desc, "TABLE") == 0 || strcmp(entry->desc, "FOREIGN TABLE") == 0;
}

static void relate(GHashTable *relation, int from, int to)
{
    GArray *ids = g_hash_table_lookup(relation, GINT_TO_POINTER(from));

    if (!ids) {
        ids = g_array_new(FALSE, FALSE, sizeof(int));
        g_hash_table_insert(relation, GINT_TO_POINTER(from), ids);
    }
    g_array_append_val(ids, to);
}

/* entry: of the child, or of what ties it to its parent, which both name. */
static void add_parents(Family *family, const PgDumpEntry *child, const PgDumpEntry *entry)
{
    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const int id = entry->depends_on[i];

        if (id == child->id || !g_hash_table_contains(family->tables, GINT_TO_POINTER(id)))
            continue;
        relate(family->parents, child->id, id);
        relate(family->children, id, child->id);
    }
}

static Family family_of(const PgDump *dump)
{
    const GPtrArray *entries = pgdump_entries(dump);
    const GDestroyNotify free_ids = (GDestroyNotify)g_array_unref;
    Family family = {
        .tables = g_hash_table_new(NULL, NULL),
        .parents = g_hash_table_new_full(NULL, NULL, NULL, free_ids),
        .children = g_hash_table_new_full(NULL, NULL, NULL, free_ids),
    };

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (is_table(entry))
            g_hash_table_add(family.tables, GINT_TO_POINTER(entry->id));
    }
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];
        const PgDumpEntry *child = is_table(entry) ? entry : pgdump_attached(dump, entry);

        if (child)
            add_parents(&family, child, entry);
    }
    return family;
}

/* All that can be reached from a table, itself left out. */
static void add_reachable(GHashTable *relation, int from, GHashTable *ids)
{
    g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_append_val(open, from);
    while (open->len > 0) {
        const int id = g_array_index(open, int, open->len - 1);
        const GArray *next = g_hash_table_lookup(relation, GINT_TO_POINTER(id));

        g_array_set_size(open, open->len - 1);
        for (guint i = 0; next && i < next->len; i++)
            if (g_hash_table_add(ids, GINT_TO_POINTER(g_array_index(next, int, i))))
                g_array_append_val(open, g_array_index(next, int, i));
    }
}

/*
 * The tables that a statement locks besides those that it names. Building an index locks no other.
 * That of a key of one partition neither, which matters: most of the time of a restore goes there,
 * and jobs shall share it.
 */
static GHashTable *locked_besides(const Family *family, const PgDumpEntry *entry)
{
    const bool attaches = strcmp(entry->desc, "INDEX ATTACH") == 0;
    const bool is_key = strcmp(entry->desc, "CONSTRAINT") == 0;
    GHashTable *ids = g_hash_table_new(NULL, NULL);

    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const int id = entry->depends_on[i];

        if (is_key && !g_hash_table_contains(family->children, GINT_TO_POINTER(id)))
            continue;
        add_reachable(family->parents, id, ids);
        if (!attaches) // that would be each partition for each of them
            add_reachable(family->children, id, ids);
    }
    for (size_t i = 0; i < entry->n_depends_on; i++)
        g_hash_table_remove(ids, GINT_TO_POINTER(entry->depends_on[i]));
    return ids;
}

/* As pg_dump writes a string: its length, a sign and the bytes from the lowest on, then the text.
 */
static void append_id(GByteArray *bytes, int id, size_t int_size)
{
    char text[16];
    const guint len = (guint)g_snprintf(text, sizeof text, "%d", id);
    uint8_t number[PGDUMP_INT_MAX] = { 0 };

    number[1] = (uint8_t)len;
    g_byte_array_append(bytes, number, (guint)int_size + 1);
    g_byte_array_append(bytes, (const uint8_t *)text, len);
}

GByteArray *pg_locks_complete(const PgDump *dump, GByteArray *head)
{
    const GPtrArray *entries = pgdump_entries(dump);
    const PgDumpHeader *header = pgdump_header(dump);
    g_auto(Family) family = family_of(dump);
    GByteArray *whole;
    size_t copied = 0;

    if (header->has_offsets || g_hash_table_size(family.parents) == 0)
        return head;
    whole = g_byte_array_sized_new(head->len);
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];
        g_autoptr(GHashTable) ids = NULL;
        g_autoptr(GList) added = NULL;

        if (!entry->is_post_data || strcmp(entry->desc, "INDEX") == 0)
            continue;
        ids = locked_besides(&family, entry);
        added = g_hash_table_get_keys(ids);
        g_assert(entry->depends_end >= copied && entry->depends_end <= head->len);
        g_byte_array_append(whole, head->data + copied, (guint)(entry->depends_end - copied));
        copied = entry->depends_end;
        for (const GList *id = added; id; id = id->next)
            append_id(whole, GPOINTER_TO_INT(id->data), header->int_size);
    }
    g_byte_array_append(whole, head->data + copied, (guint)(head->len - copied));
    g_byte_array_unref(head);
    return whole;
}
