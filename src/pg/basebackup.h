/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BASE_BACKUP: a copy of a running cluster, with the WAL that makes it consistent, as the server
 * sends it: a tar archive for each tablespace, one for the data directory as the last of them, and
 * the manifest. PostgreSQL documentation, "Streaming Replication Protocol"; the options are spelled
 * anew since 15, and all archives come in one stream since then. One thread.
 */
#pragma once
#include "pg/replication.h"

typedef struct {
    const char *label;
    bool fast;            /* the checkpoint at the start: at once, or spread */
    unsigned max_rate_kb; /* KiB a second, 32 to 1048576; 0: as fast as can be */
    bool no_page_checks;  /* the server does not verify the checksums of pages */
} PgBackupOptions;

#define PG_BACKUP_RATE_MIN 32
#define PG_BACKUP_RATE_MAX 1048576

typedef struct {
    uint32_t oid;   /* 0: the data directory */
    char *location; /* NULL: the data directory */
    uint64_t size;  /* the server's estimate */
} PgTablespace;

typedef struct {
    uint64_t lsn;
    uint32_t timeline;
    GArray *tablespaces; /* of PgTablespace; the data directory is the last */
    uint64_t size;       /* of all */
} PgBackupStart;
void pg_backup_start_clear(PgBackupStart *start);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgBackupStart, pg_backup_start_clear)

typedef struct {
    uint64_t lsn;
    uint32_t timeline;
} PgBackupStop;

/* Archives one after the other, each begin, data, end; then the manifest, in slices of any size.
 * False with error set ends the backup. */
typedef struct {
    bool (*begin)(void *user, const PgTablespace *tablespace, GError **error);
    bool (*data)(void *user, const void *data, size_t len, GError **error);
    bool (*end)(void *user, GError **error);
    bool (*manifest)(void *user, const void *data, size_t len, GError **error);
} PgBackupReceiver;

/* The server checkpoints, which may take minutes, and says where the backup starts. */
bool pg_backup_begin(PgReplication *replication, const PgBackupOptions *options,
                     PgBackupStart *ret_start, GError **error);
/*
 * All that begin announced. True only when the server said that the backup is whole.
 * BS_ERROR_CORRUPT: also when it found a page whose checksum does not fit. The receiver's own
 * errors are unchanged.
 */
bool pg_backup_receive(PgReplication *replication, const PgBackupStart *start,
                       const PgBackupReceiver *receiver, void *user, PgBackupStop *ret_stop,
                       GError **error);
