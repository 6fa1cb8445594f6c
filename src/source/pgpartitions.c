/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgpartitions.h"
#include "base/error.h"
#include <string.h>

#define LISTED_MAX 5 /* partitions that an error names before it only counts */

/* "schema.name" of a partition and of the table that it is directly part of. */
typedef struct {
    char *name, *parent;
} Partition;

struct PgPartitions {
    GArray *all; /* of Partition */
};

static void partition_clear(gpointer data)
{
    Partition *partition = data;

    g_free(partition->name);
    g_free(partition->parent);
}

PgPartitions *pg_partitions_load(PgConn *conn, GError **error)
{
    static const char query[] =
        "SELECT cn.nspname || '.' || c.relname, pn.nspname || '.' || p.relname FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace"
        " JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace"
        " WHERE p.relkind = 'p' AND c.relpersistence <> 't' ORDER BY 1";
    g_autoptr(PgPartitions) partitions = g_new0(PgPartitions, 1);
    g_autoptr(PgRows) rows = NULL;

    partitions->all = g_array_new(FALSE, FALSE, sizeof(Partition));
    g_array_set_clear_func(partitions->all, partition_clear);
    // no conversion: the names of a dump are in the encoding of the database
    rows = pg_exec(conn, "SET client_encoding = 'SQL_ASCII'", error)
               ? pg_query(conn, query, NULL, error)
               : NULL;
    if (!rows)
        return NULL;
    for (int i = 0; i < pg_rows_count(rows); i++) {
        Partition partition = { g_strdup(pg_rows_get(rows, i, 0)),
                                g_strdup(pg_rows_get(rows, i, 1)) };

        g_array_append_val(partitions->all, partition);
    }
    return g_steal_pointer(&partitions);
}

void pg_partitions_free(PgPartitions *partitions)
{
    if (!partitions)
        return;
    g_array_unref(partitions->all);
    g_free(partitions);
}

static GHashTable *tables_of(const PgDump *dump)
{
    const GPtrArray *entries = pgdump_entries(dump);
    GHashTable *tables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (entry->schema &&
            (strcmp(entry->desc, "TABLE") == 0 || strcmp(entry->desc, "FOREIGN TABLE") == 0))
            g_hash_table_add(tables, g_strconcat(entry->schema, ".", entry->tag, NULL));
    }
    return tables;
}

bool pg_partitions_check(const PgPartitions *partitions, const PgDump *dump, GError **error)
{
    g_autoptr(GHashTable) tables = tables_of(dump);
    g_autoptr(GString) names = g_string_new(NULL);
    guint n = 0;

    for (guint i = 0; i < partitions->all->len; i++) {
        const Partition *partition = &g_array_index(partitions->all, Partition, i);

        if (!g_hash_table_contains(tables, partition->parent) ||
            g_hash_table_contains(tables, partition->name))
            continue;
        if (n++ < LISTED_MAX)
            g_string_append_printf(names, "%s%s", n > 1 ? ", " : "", partition->name);
    }
    if (n == 0)
        return true;
    if (n > LISTED_MAX)
        g_string_append_printf(names, " and %u more", n - LISTED_MAX);
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "partitions of what is chosen would be left out, and their rows with them: %s; "
                "choose them or their schemas, too (pg_dump 16 and newer take those of --table "
                "along)",
                names->str);
    return false;
}
