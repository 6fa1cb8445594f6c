/* SPDX-License-Identifier: Apache-2.0 */
/* The ways of `restore`: into a directory, into a database or a Redis server, and of a cluster to a
 * target. */
#pragma once
#include "cmd/command.h"
#include <jansson.h>

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
} RestoreOptions;

/* operands[0]: SNAPSHOT. */
bool restore_to_database(const Context *context, const RestoreOptions *options, char **operands,
                         GError **error);

/* The same, into a Redis server. */
bool restore_to_redis(const Context *context, const RestoreOptions *options, char **operands,
                      GError **error);

/* Whether an option asks for the recovery of a cluster. */
bool restore_is_recovery(const RestoreOptions *options);
/* operands[0]: SNAPSHOT or NULL. */
bool restore_to_target(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error);

/* What --delta found in the target, and what it fetched: in a summary, and in a sentence. */
void restore_add_delta(json_t *summary, uint64_t same, uint64_t fetched);
char *restore_delta_text(uint64_t same, uint64_t fetched);
