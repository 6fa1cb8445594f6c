/* SPDX-License-Identifier: Apache-2.0 */
/* Archives a file of PostgreSQL's write-ahead log: what archive_command calls. No lock, no index:
 * one object (repo/walobject.h). Segments that wait behind it are taken along (op/walalong.h). */
#pragma once
#include "op/walcluster.h"
#include "op/walfile.h"

/*
 * from->path: the file, under the name that PostgreSQL gave it. A segment is checked against its
 * own first page, and both against the control file of its data directory, where that is readable.
 * Durable when it returns true. BS_ERROR_MISMATCH: another cluster's file, or another content is
 * already there. BS_ERROR_CORRUPT, BS_ERROR_USAGE (no name of a WAL file).
 */
bool op_wal_push(const Settings *settings, OpenRepo *open, const WalClusterFrom *from,
                 WalPushed *ret_pushed, GError **error);
