/* SPDX-License-Identifier: Apache-2.0 */
/* How a server is set up for being backed up: settings, a role and its rights, who may connect for
 * replication. PostgreSQL 13 to 18. What this role may not see is not there, or unknown. */
#pragma once
#include "base/cancel.h"
#include <stdint.h>

typedef struct PgConn PgConn; /* pg/conn.h */

typedef enum {
    PG_HBA_UNKNOWN, /* this role may not read the rules */
    PG_HBA_MISSING, /* none fits, or the first that does rejects */
    PG_HBA_FITS,
} PgHbaState;

typedef struct {
    int version; /* 150020 */
    char *version_text;
    char *database;       /* this connection's, which rights on functions are of */
    GHashTable *settings; /* char * by char *: what is in force */
    GHashTable *written;  /* what the configuration files say; NULL: this role may not see */
    int64_t senders_used, slots_used;
    bool role_exists, role_login, role_replication, role_superuser, role_reads_settings;
    bool role_backup, role_watch; /* may execute the functions for backups, for pg_wal */
    PgHbaState hba;
    char *client; /* address that this connection comes from; NULL: a local socket */
} PgServerSetup;

/* role: whose rights are asked for; it need not exist. BS_ERROR_VERSION: a server before 13. */
bool pg_server_setup_read(PgConn *conn, const char *role, PgServerSetup *ret_setup, GError **error);
void pg_server_setup_clear(PgServerSetup *setup);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgServerSetup, pg_server_setup_clear)
