/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server whose data directory is backed up: put into backup mode on one connection, which must
 * last as long as the backup; when it ends, however that be, the server leaves backup mode by
 * itself. PostgreSQL documentation, "Making a Base Backup Using the Low Level API". One thread.
 */
#pragma once
#include "pg/basebackup.h"
#include "pg/conn.h"
#include "pg/control.h"

typedef struct PgDirServer PgDirServer;

/*
 * By the environment (PGHOST, PGPORT, PGSERVICE), else where postmaster.pid says. It is the server
 * of this directory, and not of another or of a copy: BS_ERROR_MISMATCH. control: of the directory.
 * *ret_server is NULL when there is no postmaster.pid, so that the cluster is stopped. Errors of
 * pg_connect(); BS_ERROR_VERSION for a server before 13. cancel: borrowed while it is connected.
 */
bool pg_dir_server_find(const char *directory, const PgControl *control, const Cancel *cancel,
                        PgDirServer **ret_server, GError **error);
void pg_dir_server_free(PgDirServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDirServer, pg_dir_server_free)

PgConn *pg_dir_server_conn(PgDirServer *server);
/* A setting, as PgShow; user: the server. */
char *pg_dir_server_show(void *user, const char *name, GError **error);

/* The server keeps the WAL from its last checkpoint on while it is connected, by a temporary slot.
 * False: it has none to spare, or not this right. */
bool pg_dir_server_hold_wal(PgDirServer *server);

/* The server checkpoints, which may take minutes. ret_start: where recovery will begin. */
bool pg_dir_server_start(PgDirServer *server, bool fast, uint64_t *ret_start, GError **error);
/* Up to where it has written by now; a standby: replayed. */
bool pg_dir_server_position(PgDirServer *server, uint64_t *ret_lsn, GError **error);

/* When this run of the server began, as a text to compare; to be freed. */
bool pg_dir_server_started(PgDirServer *server, char **ret_started, GError **error);
/* The oids of its tablespaces but the two that every cluster has: an array of uint32_t. */
GArray *pg_dir_server_tablespaces(PgDirServer *server, GError **error);

typedef struct {
    uint64_t start, stop; /* LSN */
    uint32_t timeline;
    bool from_standby;
    GBytes *label; /* backup_label */
} PgDirStop;
void pg_dir_stop_clear(PgDirStop *stop);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgDirStop, pg_dir_stop_clear)

/* BS_ERROR_FAILED: a standby that was promoted, or replayed what was written without full pages. */
bool pg_dir_server_stop(PgDirServer *server, PgDirStop *ret_stop, GError **error);
