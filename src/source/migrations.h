/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables in which tools for schema changes note what they have done: Prisma, Django, Rails, Flyway,
 * Alembic, golang-migrate. What a manifest says of one: {"tool", "schema" (not of SQLite), "table",
 * "count", "newest", "sha256"}; the hash is over all names in their order, each with a newline, so
 * that two databases can be compared. Only names are read, never values of the application.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define MIGRATIONS_MAX 100000 /* rows that are read of one table */

typedef struct {
    const char *tool, *table;
    const char *needs;  /* ",column,column,": its columns, at least these */
    bool exact;         /* and no others */
    const char *beside; /* another table that is there, too; NULL: none */
    const char *select; /* columns, of which one name is made with dots between them */
    const char *rest;   /* of the statement: which rows, in which order */
} MigrationTool;

extern const MigrationTool migration_tools[];
extern const size_t n_migration_tools;

/* columns: ",column,column," of the table, in any order. has_beside: the other table is there. */
bool migration_tool_fits(const MigrationTool *tool, const char *table, const char *columns,
                         bool has_beside);

typedef struct MigrationList MigrationList;
MigrationList *migration_list_new(void);
/* One row; parts that are NULL are left out. */
void migration_list_add(MigrationList *list, const char *const *parts, unsigned n);
/* schema: NULL: there are none. Frees the list. */
json_t *migration_list_end(MigrationList *list, const MigrationTool *tool, const char *schema);
