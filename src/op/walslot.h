/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a repository remembers of a replication slot that `wal receive` uses: that there was one. A
 * slot that has vanished since is not made again silently, for the server may have removed WAL that
 * nobody has. One record for each, backstay/wal-slots/<system identifier>/<slot> (repo/record.h).
 */
#pragma once
#include "repo/repo.h"

typedef struct {
    uint64_t system_id;
    const char *slot; /* borrowed */
    int release;      /* of the server: 15 */
    uint64_t start;   /* LSN: WAL before it is known to be lost and not asked for; 0: none */
} WalSlot;

/* system_id and slot are given, the rest is filled in. *ret_there false: it was never used.
 * BS_ERROR_CORRUPT. */
bool wal_slot_load(Repo *repo, WalSlot *slot, bool *ret_there, GError **error);
/* Durable when it returns true; replaces. */
bool wal_slot_save(Repo *repo, const WalSlot *slot, GError **error);
