/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entries of a dump a partial restore takes: the tables (views, sequences) or schemas named,
 * with what belongs to them: partitions, data, indexes, constraints, defaults and their sequences
 * with values, triggers, policies, rights. pg_restore's own --table leaves all but the data out. A
 * foreign key or a partition's attachment comes along only when both sides do.
 */
#pragma once
#include "source/pgdump.h"

typedef struct {
    char **tables;  /* "schema.table", or "table" in any schema; NULL: none named */
    char **schemas; /* NULL: none named */
    /* Also all that the chosen depend on: types, functions, extensions, parents. For an empty
     * target. */
    bool with_needed;
    /* Names of schemas that the target has already; others are made. A set; may be NULL. */
    GHashTable *present_schemas;
} PgSelection;

/* A set of PgDumpEntry. ret_left_out: "FK CONSTRAINT public.t t_u_fkey" of what could not come
 * along. BS_ERROR_NOT_FOUND: a table or schema named is not in the dump. */
bool pg_select(const PgDump *dump, const PgSelection *selection, GHashTable **ret_chosen,
               GPtrArray **ret_left_out, GError **error);
