/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database that a dump is restored into: looked at before the first change, made when it is
 * missing, compared with the dump afterwards. One thread. Every call asks the server, so any may
 * fail with what pg/conn.h names.
 */
#pragma once
#include "flow/sink.h"
#include "pg/conn.h"
#include "source/pgdump.h"
#include <jansson.h>

typedef struct PgTarget PgTarget;

typedef void (*PgNote)(const char *text, void *user);

typedef struct {
    bool clean;             /* what is there may go */
    bool create;            /* a missing database is made */
    bool force;             /* neither an older server nor what is there stops it */
    bool no_owner;          /* a database that is made belongs to who makes it */
    bool look_only;         /* change nothing: a missing database is not made */
    const json_t *recorded; /* the database in the manifest, or NULL */
    PgNote note;            /* what went otherwise than one may expect; may be NULL */
    void *user;
    const Cancel *cancel; /* may be NULL */
} PgTargetOptions;

/*
 * Connects and, with create, makes a missing database. options and url are borrowed for the
 * target's life. dump: NULL for a plain dump, of which only what was recorded is known; then all of
 * it is restored, and what names tables of its own (choices, clean) is not to be asked for.
 * BS_ERROR_NOT_FOUND: no such database. BS_ERROR_VERSION: the server is older than the dumped one.
 * BS_ERROR_UNSUPPORTED: an extension is not installed there.
 */
PgTarget *pg_target_open(const PgUrl *url, const PgDump *dump, const PgTargetOptions *options,
                         GError **error);
/* version: of pg_restore, as that of a server. BS_ERROR_VERSION: the server does not take what it
 * sends; says what to do. Not for a plain dump. */
bool pg_target_takes_tool(const PgTarget *target, int version, GError **error);
/* A database that pg_target_open() made is dropped again unless pg_target_keep() was called. */
void pg_target_free(PgTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgTarget, pg_target_free)

/* There is no database, and with look_only none was made: it is as empty as a new one. */
bool pg_target_is_absent(const PgTarget *target);
/* Relations, functions and large objects of its own; what an extension brought does not count. */
bool pg_target_count(PgTarget *target, unsigned *ret_objects, GError **error);
/* chosen: entries to be restored, NULL for all. BS_ERROR_NOT_EMPTY: they would meet what is there;
 * with clean: partitions that the dump lacks would be dropped with their parents. */
bool pg_target_check_room(PgTarget *target, const GHashTable *chosen, GError **error);
/* Names of its schemas: a set to be unref'd. */
GHashTable *pg_target_schemas(PgTarget *target, GError **error);

/* BS_ERROR_MISMATCH: a table has another number of rows than the dump. BS_ERROR_CANCELLED says that
 * it is restored all the same. */
bool pg_target_compare(PgTarget *target, GHashTable *chosen, GError **error);
/* Settings of the database as a whole (ALTER DATABASE ... SET), when it was made here. */
bool pg_target_apply_settings(PgTarget *target, GError **error);
/* Statistics for the planner, which a dump does not hold (before PostgreSQL 18). A failure is told
 * by note; only BS_ERROR_CANCELLED is one of ours. */
bool pg_target_analyze(PgTarget *target, GHashTable *chosen, GError **error);
void pg_target_keep(PgTarget *target);

/* What a sink that restores one dump takes: folders on the way to it, and it. opened: false at
 * first. *ret_dump: this is it. BS_ERROR_USAGE: it is a second one. */
bool pg_target_begin(const Entry *entry, bool *opened, bool *ret_dump, GError **error);
