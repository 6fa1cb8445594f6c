/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where `wal get` keeps what it fetches ahead: segments of one cluster in one repository, in
 * <dir>/<system identifier>-<repository's location, hashed>/. A file is called
 * <segment>.<CRC-32C of its content> and comes there whole and durable; <segment>.part is locked by
 * who is fetching it, `lock` by the one process that fetches ahead, and `asked` says what was
 * handed out last. The directory is its user's alone, or it is not used.
 *
 * What lies here is never believed: before it is handed out its checksum is computed again, and its
 * first page must say that it is this segment of this cluster. What fails there is removed. The
 * checksum is against accidents, and as strong as the one that each record of the log has: who may
 * write here may also write where the segment goes, and what came from the store was proven by its
 * seal and SHA-256. That a segment is not here says nothing about the repository. Whatever cannot
 * be done here is no error: the segment is fetched. Any thread, unless told.
 */
#pragma once
#include "base/cancel.h"
#include "pg/walname.h"

typedef struct WalSpool WalSpool;

/* Makes it. NULL: it cannot be used. */
WalSpool *wal_spool_open(const char *dir, const char *location, uint64_t system_id);
void wal_spool_free(WalSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalSpool, wal_spool_free)

/*
 * Moves the segment to path, durable (copies it where path is on another file system). Waits for
 * one that is being fetched. ret_size: its length in bytes. False: fetch it, and nothing is at
 * path.
 */
bool wal_spool_take(WalSpool *spool, const WalName *name, const char *path, const Cancel *cancel,
                    uint32_t *ret_size);
/* Notes that the segment was handed out. */
void wal_spool_ask(WalSpool *spool, const WalName *name, uint32_t size);
bool wal_spool_asked(WalSpool *spool, WalName *ret_name, uint32_t *ret_size);
/* Nobody fetches ahead, nor has had to give up a moment ago. */
bool wal_spool_is_idle(WalSpool *spool);

/* ---- for who fetches ahead ---- */

/* In a process whose descriptors were closed. */
bool wal_spool_reopen(WalSpool *spool);
/* False: somebody else does. Until free. Removes what a predecessor was writing when it was killed.
 */
bool wal_spool_claim(WalSpool *spool);
bool wal_spool_has(WalSpool *spool, const WalName *name);
/* From here to end others wait for it. -1: it cannot be written. */
int wal_spool_begin(WalSpool *spool, const WalName *name);
/* Durable. */
bool wal_spool_put(WalSpool *spool, const WalName *name, GBytes *content, GError **error);
void wal_spool_end(WalSpool *spool, const WalName *name, int busy);
/* Removes all but the n segments after this one; NULL: all. Leaves alone what is being written. */
void wal_spool_tidy(WalSpool *spool, const WalName *after, uint32_t size, unsigned n);
/* Not idle for a while: something is wrong. */
void wal_spool_give_up(WalSpool *spool);
bool wal_spool_gave_up(WalSpool *spool);
