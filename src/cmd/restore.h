/* SPDX-License-Identifier: Apache-2.0 */
/* The ways of `restore`: into a directory, into a database, a Redis server or a volume, and of a
 * cluster to a target. */
#pragma once
#include "cmd/command.h"
#include "op/restorefacts.h"

/* As options give them. */
typedef struct {
    char *target, *to, *overwrite, *dbname;
    char **hosts, **tags, **paths;
    char **include, **iinclude, **exclude, **iexclude;
    char **include_file, **iinclude_file, **exclude_file, **iexclude_file;
    gboolean sparse, verify, delete_extra, delta, dry_run, preview, no_sync;
    char **databases, **tables, **schemas;
    char *jobs;
    char *target_time, *target_lsn, *target_xid, *target_name, *target_timeline, *target_action;
    gboolean target_immediate, target_latest, target_exclusive;
    char **tablespaces;
    char *system_id, *config_file;
    gboolean clean, if_exists, no_owner, no_acl, create, force, globals;
    char **beneath;
    char *named; /* of "@NAME" or "@NAME/DATABASE", which `to` was, NAME: a password may stand in
                    `to` now */
    char *shown; /* with beneath: the name of the target, where `target` or `to` is a way to it */
    char *way;   /* the beginning of that, which stands for way_to */
    char *way_to;
    char **via; /* with beneath: of each of tablespaces the way to it, or "" */
} RestoreOptions;

/* --to "@NAME" or "@NAME/DATABASE", a source of the configuration, becomes its URL, and in it the
 * password where there is one. BS_ERROR_USAGE: no such source, or it is no server. */
bool restore_take_named(const Context *context, RestoreOptions *options, GError **error);
void restore_wipe_named(RestoreOptions *options);
/*
 * With --beneath DIR: the target becomes a way to that very directory below DIR, whatever happens
 * to names meanwhile; of a file (--to volume:PATH, sqlite:PATH) that is the directory that it lies
 * in. No link is followed on the way, and what is missing is made. What is returned must live as
 * long as the restore; NULL: without --beneath.
 */
typedef struct RestoreBeneath RestoreBeneath;
bool restore_take_beneath(RestoreOptions *options, RestoreBeneath **ret_beneath, GError **error);
void restore_beneath_free(RestoreBeneath *beneath); /* and what it has put into the options */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RestoreBeneath, restore_beneath_free)
/* As people know it: path with the way replaced by what it leads to. To be freed. */
char *restore_shown(const RestoreOptions *options, const char *path);
/* The same in the text of an error. */
void restore_name_error(const RestoreOptions *options, GError **error);

/* What tells facts of the target, borrowing from both. */
RestoreFacts restore_facts_told(const Context *context, const RestoreOptions *options);
/* Parts of that; the user is the Settings. */
void restore_tell_note(const char *text, void *user);
void restore_tell_difference(const RestoreDifference *difference, void *user);

/* Whether there are options that only a PostgreSQL database knows, and others would ignore. */
bool restore_is_about_database(const RestoreOptions *options);

/* operands[0]: SNAPSHOT. */
bool restore_to_database(const Context *context, const RestoreOptions *options, char **operands,
                         GError **error);

/* The same, into a Redis server. */
bool restore_to_redis(const Context *context, const RestoreOptions *options, char **operands,
                      GError **error);

/* The same, into a block device or an image file: --to RESTORE_VOLUME PATH. */
#define RESTORE_VOLUME "volume:"
bool restore_to_volume(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error);

/* The same, of an SQLite database to its place: --to RESTORE_SQLITE PATH. */
#define RESTORE_SQLITE "sqlite:"
bool restore_to_sqlite(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error);

/* Whether an option asks for the recovery of a cluster. */
bool restore_is_recovery(const RestoreOptions *options);
/* operands[0]: SNAPSHOT or NULL. */
bool restore_to_target(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error);

/* What --delta found in the target, and what it fetched: in a summary, and in a sentence. */
void restore_add_delta(json_t *summary, uint64_t same, uint64_t fetched);
char *restore_delta_text(uint64_t same, uint64_t fetched);
