/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration files of a cluster that lie outside of its data directory, as Debian's
 * pg_createcluster keeps them in /etc: postgresql.conf, pg_hba.conf and pg_ident.conf under these
 * names, and what lies beside the first: conf.d/, and Debian's environment, pg_ctl.conf and
 * start.conf. They are read from this machine's file system, after it was shown that the server
 * runs here. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PgConfigDir PgConfigDir;

/* A setting of the server as SHOW gives it; to be freed. NULL with error set. */
typedef char *(*PgShow)(void *user, const char *name, GError **error);

/* NULL: none lies outside, or *ret_reason says why they cannot be read; to be freed. */
PgConfigDir *pg_config_dir_find(PgShow show, void *user, uint64_t system_id, char **ret_reason);
void pg_config_dir_free(PgConfigDir *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgConfigDir, pg_config_dir_free)

/* Takes a file of the top folder; data NULL: a directory. */
typedef bool (*PgConfigAdd)(void *user, const char *path, const void *data, size_t len,
                            GError **error);

/* As config/, directories before what lies in them. */
bool pg_config_dir_push(const PgConfigDir *config, PgConfigAdd add, void *user, GError **error);
