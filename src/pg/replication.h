/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that speaks the physical replication protocol, with servers from 13 on (PostgreSQL
 * documentation, "Streaming Replication Protocol"). One thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"
#include <stdint.h>

typedef struct PgReplication PgReplication;

/*
 * Errors as of pg_connect(), with what to do about a missing right, a missing line in pg_hba.conf
 * and too few WAL senders; BS_ERROR_VERSION for a server before 13. cancel is borrowed for the
 * connection's life: once it is set, what runs is ended in the server, too.
 */
PgReplication *pg_replication_connect(const PgUrl *url, const Cancel *cancel, GError **error);
void pg_replication_free(PgReplication *replication);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgReplication, pg_replication_free)

int pg_replication_version(const PgReplication *replication); /* 150020 for 15.20 */
const char *pg_replication_version_text(const PgReplication *replication);
/* As connected: a name, an address, or the directory of a socket. Borrowed. */
const char *pg_replication_host(const PgReplication *replication);
const char *pg_replication_port(const PgReplication *replication);

typedef struct {
    uint64_t system_id;
    uint32_t timeline;
    uint64_t lsn; /* flushed; on a standby: received or replayed */
} PgSystem;

bool pg_replication_identify(PgReplication *replication, PgSystem *ret_system, GError **error);
/* A setting as SHOW gives it. BS_ERROR_DENIED: this role may not see it. */
char *pg_replication_show(PgReplication *replication, const char *name, GError **error);
/* How long its segments are. */
bool pg_replication_segment_size(PgReplication *replication, uint32_t *ret_size, GError **error);
/* The server keeps all WAL from its last checkpoint on as long as this connection lives, by a
 * temporary slot. False: it has none to spare, or not this right. */
bool pg_replication_hold_wal(PgReplication *replication, GError **error);

/* ---- for other modules here: commands of their own ---- */

PGconn *pg_replication_conn(PgReplication *replication); /* borrowed */
/* A command that gives one row of at least so many columns. To be cleared. */
PGresult *pg_replication_ask(PgReplication *replication, const char *command, int n_columns,
                             GError **error);

/* The next result of what was sent, whatever it is; NULL: there is no more. To be cleared. */
PGresult *pg_replication_next(PgReplication *replication);

/* What is left of a command's results, so that the next can be sent. */
void pg_replication_drain(PgReplication *replication);

typedef enum { PG_COPY_MESSAGE, PG_COPY_NONE, PG_COPY_ENDED } PgCopy;
/* The next message of a COPY if it has arrived, in *ret_data until the next call; for ENDED, the
 * results of the command tell why. */
PgCopy pg_replication_copy_ready(PgReplication *replication, const char **ret_data,
                                 size_t *ret_len);

/* ---- for commands that answer with several results ---- */

/* Sends a command. */
bool pg_replication_send(PgReplication *replication, const char *command, GError **error);
/* The next result; status: what it must be. To be cleared. Errors as of pg_check_result(). */
PGresult *pg_replication_result(PgReplication *replication, ExecStatusType status, GError **error);
/* The next message of a COPY, in *ret_data until the next call. *ret_len 0: it ended. */
bool pg_replication_copied(PgReplication *replication, const char **ret_data, size_t *ret_len,
                           GError **error);
/* The first of the server's warnings since it was connected, at most a handful, on one line; NULL
 * when there were none. Borrowed. */
const char *pg_replication_warnings(const PgReplication *replication);
