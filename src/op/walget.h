/* SPDX-License-Identifier: Apache-2.0 */
/* Brings back one file of PostgreSQL's write-ahead log: what restore_command calls. */
#pragma once
#include "op/open.h"
#include "op/walcluster.h"
#include "op/walprefetch.h"

/*
 * from->path: where to, whole or not at all, durable. name: as PostgreSQL asks for it. Of a segment
 * that is not complete yet its newest part, filled up (op/walsegment.h), unless a file of this name
 * beside from->path goes on behind it: then it is absent. Mirrors help when the
 * repository cannot be read. BS_ERROR_WAL_ABSENT: the repository itself is there and holds
 * none; every other failure says nothing about that. A segment that was fetched ahead
 * (op/walspool.h) is taken without asking the repository; that one is absent only the repository
 * says. To be called before there are threads.
 */
bool op_wal_get(const Settings *settings, const char *name, const WalClusterFrom *from,
                const WalPrefetchOptions *prefetch, const Cancel *cancel, GError **error);
