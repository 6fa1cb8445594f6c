/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in a data directory, by name: which files belong in a base backup, and which are
 * relations. PostgreSQL documentation, "Database File Layout", and of the "Streaming Replication
 * Protocol" the list under BASE_BACKUP of what is left out. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    PG_TAKE,
    PG_TAKE_EMPTY, /* a directory, without what lies in it; also when it is a link */
    PG_LEAVE_OUT,
} PgTake;

/* dir: from the data directory, "" for itself; of a tablespace "pg_tblspc/<oid>/...". Unlogged
 * relations are left out, too, but only who has seen the whole directory knows them. */
PgTake pg_take(const char *dir, const char *name);

/* Holds files of relations: global, base/<oid>, pg_tblspc/<oid>/PG_.../<oid>. */
bool pg_holds_relations(const char *dir);

typedef enum { PG_FORK_MAIN, PG_FORK_FSM, PG_FORK_VM, PG_FORK_INIT } PgFork;

typedef struct {
    uint32_t number; /* the relation's, which is its name on disk */
    PgFork fork;
    uint32_t segment; /* which piece of at most PgControl.blocks_per_file */
} PgRelationFile;

/* "16384", "16384_vm.2"; not what temporary relations are called. False: it is no such name. */
bool pg_relation_file_parse(const char *name, PgRelationFile *ret_file);
