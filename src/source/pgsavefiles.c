/* SPDX-License-Identifier: Apache-2.0 */
/* One database in directory format: pg_dump writes it, several tables at once, and it is read when
 * pg_dump has ended well. */
#include "base/child.h"
#include "pg/conn.h"
#include "source/pgdumppush.h"
#include "source/pgfacts.h"
#include "source/pgsaving.h"

/* Indexes are not dumped, and what TOAST has compressed comes out larger: about so much. */
static const char size_sql[] =
    "SELECT pg_catalog.sum(pg_catalog.pg_table_size(c.oid))::pg_catalog.int8"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass OR (c.relkind IN ('r', 'm')"
    " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema')";

/* Of a part nobody knows beforehand how large it is. */
static bool is_part(const PostgresSource *source)
{
    return source->schemas || source->exclude_schemas || source->tables ||
           source->exclude_table_data;
}

Scratch *pg_save_scratch(const PgSave *save, const PgUrl *url, GError **error)
{
    g_autoptr(Scratch) scratch = scratch_new(save->source->scratch, error);
    g_autoptr(PgConn) conn = scratch ? pg_connect(url, NULL, save->push.run->cancel, error) : NULL;
    int64_t need = 0;

    if (!conn || !pg_query_number(conn, size_sql, NULL, &need, error) ||
        (!is_part(save->source) && !scratch_check_room(scratch, (uint64_t)MAX(need, 0), error)))
        return NULL;
    return g_steal_pointer(&scratch);
}

bool pg_save_files(PgSave *save, const char *const *argv, const PgAccess *access, const char *to,
                   const char *name, const PgPartitions *partitions, json_t *facts, GError **error)
{
    g_autoptr(Child) child = child_spawn(argv, pg_access_environ(access), CHILD_OWN_GROUP, error);
    g_autoptr(PgDumpFiles) files = pgdump_files_new();

    if (!child || !child_wait(child, save->push.run->cancel, NULL, error) ||
        !pg_dump_push(&save->push, to, name, files, facts, error) ||
        (partitions && !pg_partitions_check(partitions, pgdump_files_dump(files), error)))
        return false;
    pg_facts_add_dump(facts, pgdump_files_dump(files));
    return true;
}
