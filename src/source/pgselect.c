/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgselect.h"
#include "base/error.h"
#include <string.h>

typedef struct {
    const PgDump *dump;
    const GPtrArray *entries;
    GHashTable *by_id; /* id -> entry */
    GHashTable *chosen;
} Selector;

static const char *const relations[] = {
    "TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", NULL,
};

/* Belongs to the relation that it depends on. */
static const char *const belongings[] = {
    "TABLE DATA",
    "MATERIALIZED VIEW DATA",
    "INDEX",
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "DEFAULT",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "STATISTICS",
    "COMMENT",
    "ACL",
    "SECURITY LABEL",
    "STATISTICS DATA",
    NULL,
};

/* Ties two relations. */
static const char *const ties[] = { "FK CONSTRAINT", "TABLE ATTACH", "INDEX ATTACH", NULL };

static const char *const remarks[] = { "ACL", "COMMENT", "SECURITY LABEL", NULL };

/* Has no use without its sequence. */
static const char *const sequence_users[] = { "DEFAULT", "SEQUENCE OWNED BY", NULL };

static bool is_one_of(const PgDumpEntry *entry, const char *const *descs)
{
    return g_strv_contains(descs, entry->desc);
}

static bool is_chosen(const Selector *selector, const PgDumpEntry *entry)
{
    return g_hash_table_contains(selector->chosen, entry);
}

static const PgDumpEntry *needed(const Selector *selector, const PgDumpEntry *entry, size_t i)
{
    return g_hash_table_lookup(selector->by_id, GINT_TO_POINTER(entry->depends_on[i]));
}

static bool choose(Selector *selector, const PgDumpEntry *entry)
{
    return g_hash_table_add(selector->chosen, (gpointer)entry);
}

static bool names_table(const PgDumpEntry *entry, const char *wanted)
{
    g_autofree char *full = NULL;

    if (!is_one_of(entry, relations) || !entry->schema)
        return false;
    full = g_strconcat(entry->schema, ".", entry->tag, NULL);
    return strcmp(full, wanted) == 0 || strcmp(entry->tag, wanted) == 0;
}

static bool names_schema(const PgDumpEntry *entry, const char *wanted)
{
    if (strcmp(entry->desc, "SCHEMA") == 0)
        return strcmp(entry->tag, wanted) == 0;
    return g_strcmp0(entry->schema, wanted) == 0 && !is_one_of(entry, ties);
}

static bool choose_named(Selector *selector, char **names, const char *kind,
                         bool (*matches)(const PgDumpEntry *entry, const char *wanted),
                         GError **error)
{
    for (char **name = names; name && *name; name++) {
        bool found = false;

        for (guint i = 0; i < selector->entries->len; i++) {
            const PgDumpEntry *entry = selector->entries->pdata[i];

            if (matches(entry, *name)) {
                (void)choose(selector, entry);
                found = true;
            }
        }
        if (!found) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the dump has no %s %s", kind, *name);
            return false;
        }
    }
    return true;
}

/* The rows of a partitioned table lie in its partitions, and these may be partitioned again. */
static void choose_partitions(Selector *selector)
{
    bool more;

    do {
        more = false;
        for (guint i = 0; i < selector->entries->len; i++) {
            const PgDumpEntry *tie = selector->entries->pdata[i];
            const PgDumpEntry *partition = pgdump_attached(selector->dump, tie);

            for (size_t n = 0; partition && n < tie->n_depends_on; n++) {
                const PgDumpEntry *other = needed(selector, tie, n);

                if (other && other != partition && is_chosen(selector, other))
                    more |= choose(selector, partition);
            }
        }
    } while (more);
}

static bool depends_on_chosen_relation(const Selector *selector, const PgDumpEntry *entry)
{
    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const PgDumpEntry *other = needed(selector, entry, i);

        if (other && is_chosen(selector, other) &&
            (is_one_of(other, relations) || is_one_of(other, belongings)))
            return true;
    }
    return false;
}

static bool choose_sequences_of(Selector *selector, const PgDumpEntry *entry)
{
    bool more = false;

    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const PgDumpEntry *other = needed(selector, entry, i);

        if (other && strcmp(other->desc, "SEQUENCE") == 0)
            more |= choose(selector, other);
    }
    return more;
}

/* A default of a table not chosen may use a sequence that is: it does not belong to the choice. */
static bool belongs(const Selector *selector, const PgDumpEntry *entry)
{
    if (!is_one_of(entry, belongings) || !depends_on_chosen_relation(selector, entry))
        return false;
    for (size_t i = 0; i < entry->n_depends_on; i++) {
        const PgDumpEntry *other = needed(selector, entry, i);

        if (other && strcmp(other->desc, "TABLE") == 0 && !is_chosen(selector, other))
            return false;
    }
    return true;
}

static void choose_belongings(Selector *selector)
{
    bool more;

    do {
        more = false;
        for (guint i = 0; i < selector->entries->len; i++) {
            const PgDumpEntry *entry = selector->entries->pdata[i];

            if (!is_chosen(selector, entry) && belongs(selector, entry))
                more |= choose(selector, entry);
            if (is_chosen(selector, entry) && is_one_of(entry, sequence_users))
                more |= choose_sequences_of(selector, entry);
        }
    } while (more);
}

/* Without their data and belongings: those were not asked for. */
static void choose_needed(Selector *selector)
{
    g_autoptr(GPtrArray) open = g_ptr_array_new();

    for (guint i = 0; i < selector->entries->len; i++)
        if (is_chosen(selector, selector->entries->pdata[i]))
            g_ptr_array_add(open, selector->entries->pdata[i]);

    while (open->len > 0) {
        const PgDumpEntry *entry = g_ptr_array_steal_index(open, open->len - 1);

        for (size_t i = 0; i < entry->n_depends_on; i++) {
            const PgDumpEntry *other = needed(selector, entry, i);

            if (other && choose(selector, other))
                g_ptr_array_add(open, (gpointer)other);
        }
    }
}

static void choose_ties(Selector *selector, GPtrArray *left_out)
{
    for (guint i = 0; i < selector->entries->len; i++) {
        const PgDumpEntry *entry = selector->entries->pdata[i];
        bool all = true;

        if (!is_one_of(entry, ties) || !depends_on_chosen_relation(selector, entry))
            continue;
        for (size_t n = 0; n < entry->n_depends_on; n++) {
            const PgDumpEntry *other = needed(selector, entry, n);

            all &= !other || is_chosen(selector, other);
        }
        if (all)
            (void)choose(selector, entry);
        else
            g_ptr_array_add(left_out,
                            g_strdup_printf("%s %s.%s", entry->desc,
                                            entry->schema ? entry->schema : "", entry->tag));
    }
}

static bool lives_in_chosen(const Selector *selector, const char *schema)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, selector->chosen);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        if (g_strcmp0(((const PgDumpEntry *)key)->schema, schema) == 0)
            return true;
    return false;
}

static void choose_schemas(Selector *selector, GHashTable *present)
{
    for (guint i = 0; i < selector->entries->len; i++) {
        const PgDumpEntry *entry = selector->entries->pdata[i];

        if (strcmp(entry->desc, "SCHEMA") != 0)
            continue;
        if (present && g_hash_table_contains(present, entry->tag))
            (void)g_hash_table_remove(selector->chosen, entry);
        else if (lives_in_chosen(selector, entry->tag))
            (void)choose(selector, entry);
    }
    for (guint i = 0; i < selector->entries->len; i++) {
        const PgDumpEntry *entry = selector->entries->pdata[i];
        const PgDumpEntry *on = entry->n_depends_on ? needed(selector, entry, 0) : NULL;

        if (on && strcmp(on->desc, "SCHEMA") == 0 && is_chosen(selector, on) &&
            is_one_of(entry, remarks))
            (void)choose(selector, entry);
    }
}

bool pg_select(const PgDump *dump, const PgSelection *selection, GHashTable **ret_chosen,
               GPtrArray **ret_left_out, GError **error)
{
    g_autoptr(GHashTable) by_id = g_hash_table_new(g_direct_hash, g_direct_equal);
    g_autoptr(GHashTable) chosen = g_hash_table_new(g_direct_hash, g_direct_equal);
    Selector selector = { dump, pgdump_entries(dump), by_id, chosen };

    for (guint i = 0; i < selector.entries->len; i++) {
        PgDumpEntry *entry = selector.entries->pdata[i];

        g_hash_table_insert(by_id, GINT_TO_POINTER(entry->id), entry);
    }
    if (!choose_named(&selector, selection->tables, "table", names_table, error) ||
        !choose_named(&selector, selection->schemas, "schema", names_schema, error))
        return false;
    choose_partitions(&selector);
    choose_belongings(&selector);
    if (selection->with_needed)
        choose_needed(&selector);
    *ret_left_out = g_ptr_array_new_with_free_func(g_free);
    choose_ties(&selector, *ret_left_out);
    choose_schemas(&selector, selection->present_schemas);
    *ret_chosen = g_steal_pointer(&chosen);
    return true;
}
