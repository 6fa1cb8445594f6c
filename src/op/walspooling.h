/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the spool share: the directory (walspool.c), and taking (walspooltake.c). */
#pragma once
#include "op/walspool.h"

#define WAL_SPOOL_SEGMENT_LEN 24u /* of a name */

struct WalSpool {
    char *path;
    uint64_t system_id;
    int dirfd, lock;
};

/* False: that will do. */
typedef bool (*WalSpoolEach)(WalSpool *spool, const char *name, void *user);
void wal_spool_each(WalSpool *spool, WalSpoolEach each, void *user);

/* The checksum in the name of a whole segment; false: it is none. */
bool wal_spool_parse_sum(const char *file, uint32_t *ret_sum);
bool wal_spool_is_whole(const char *file);

/* What a segment is called while it is being fetched. */
typedef struct {
    char text[WAL_SPOOL_SEGMENT_LEN + sizeof ".part"];
} WalSpoolBusyName;
WalSpoolBusyName wal_spool_busy_name(const WalName *name);
