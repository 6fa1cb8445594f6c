/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments wait to be archived: PostgreSQL leaves an empty file archive_status/<name>.ready
 * in pg_wal for each until it has been told that it is archived (PostgreSQL documentation, "Write
 * Ahead Log", "archive_status"). Any thread.
 */
#pragma once
#include "pg/walname.h"

/* At most max segments of the timeline of after that come behind it, by name. pg_wal: the directory
 * that it lies in. Of WalName; empty where there is no archive_status, or it may not be read. */
GArray *wal_ready_after(int pg_wal, const WalName *after, guint max);
/* Whether it waits still: then the server has neither removed it nor used it again. */
bool wal_ready_is(int pg_wal, const WalName *name);
