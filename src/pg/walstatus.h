/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running server says of its write-ahead log: where it stands, what its archiver does, how
 * much waits and how fast it grows. PostgreSQL 13 to 18. PostgreSQL documentation, "Monitoring
 * Database Activity" and "System Administration Functions". What this role may not see is -1.
 */
#pragma once
#include "base/cancel.h"

typedef struct PgConn PgConn; /* pg/conn.h */

typedef struct {
    uint64_t system_id;
    uint32_t timeline;
    bool standby;
    uint64_t lsn; /* written; on a standby: replayed */
    int64_t now;  /* the server's clock, Unix seconds */

    char *archive_mode;                       /* "off", "on", "always" */
    int64_t archived_count, failed_count;     /* since stats_reset */
    char *last_archived, *last_failed;        /* names of files; NULL: none */
    int64_t last_archived_at, last_failed_at; /* Unix seconds; 0: never */
    int64_t stats_reset;                      /* Unix seconds; 0: never */
    int64_t n_ready;                          /* files that wait for the archiver */
    int64_t wal_files, wal_bytes;             /* of pg_wal */
    double rate;                              /* bytes a second, measured just now */
    double average;                           /* since the statistics begin; -1: not known */
    char *data_directory;                     /* NULL: this role may not see it */
} PgWalStatus;

/* Takes measure_ms to see how fast the log grows. BS_ERROR_VERSION: a server before 13. */
bool pg_wal_status(PgConn *conn, int64_t measure_ms, const Cancel *cancel, PgWalStatus *ret_status,
                   GError **error);
void pg_wal_status_clear(PgWalStatus *status);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgWalStatus, pg_wal_status_clear)
/* The last thing that the archiver tried has failed. */
bool pg_wal_status_failing(const PgWalStatus *status);
