/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration files of a cluster that lie outside of its data directory, as Debian's
 * pg_createcluster keeps them in /etc: postgresql.conf, pg_hba.conf and pg_ident.conf under these
 * names, and what lies beside the first: conf.d/, and Debian's environment, pg_ctl.conf and
 * start.conf. They are read from this machine's file system, after it was shown that the server
 * runs here. One thread.
 */
#pragma once
#include "pg/replication.h"
#include "source/pgbase.h"

typedef struct PgConfigDir PgConfigDir;

/* NULL: none lies outside, or *ret_reason says why they cannot be read; to be freed. */
PgConfigDir *pg_config_dir_find(PgReplication *replication, uint64_t system_id, char **ret_reason);
void pg_config_dir_free(PgConfigDir *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgConfigDir, pg_config_dir_free)

/* As config/ in the top folder. */
bool pg_config_dir_push(const PgConfigDir *config, PgBase *base, GError **error);
