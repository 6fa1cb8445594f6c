/* SPDX-License-Identifier: Apache-2.0 */
/* How far the WAL in a repository is behind the server that writes it, and how long the server's
 * disk lasts while it cannot be archived. */
#pragma once
#include "op/open.h"
#include "pg/walstatus.h"

typedef struct {
    bool bytes_given, seconds_given;
    uint64_t bytes;
    int64_t seconds;
} WalLagLimit;

/* Adds "16MiB" or "60s" to what is there. BS_ERROR_USAGE. */
bool wal_lag_limit_parse(const char *text, WalLagLimit *limit, GError **error);

typedef struct {
    PgWalStatus server;
    bool held;          /* anything of the server's timeline is held; only then the next four are
                           known: without it nobody can tell how much is missing */
    uint64_t held_end;  /* LSN: behind the last byte held */
    int64_t held_at;    /* when the newest was stored, Unix seconds */
    uint64_t bytes;     /* that the server has and the repository has not */
    int64_t seconds;    /* since the newest was stored; 0 when bytes is */
    int64_t free_bytes; /* for pg_wal; -1: not known, the server is elsewhere */
    int64_t full_in;    /* seconds until pg_wal fills the disk if nothing were archived from now
                           on; -1: not known, or nothing is written */
} WalLag;

void wal_lag_clear(WalLag *lag);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalLag, wal_lag_clear)

/* url: of the server. Takes a second to see how fast it writes. */
bool op_wal_lag(OpenRepo *open, const char *url, const Cancel *cancel, WalLag *ret_lag,
                GError **error);
/* False with BS_ERROR_LAG when a limit is exceeded; also when nothing is held. */
bool wal_lag_within(const WalLag *lag, const WalLagLimit *limit, GError **error);
