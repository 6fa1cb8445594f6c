/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a WAL file from descriptors, and tells whether a file is still the one that was read. Any
 * thread. */
#pragma once
#include "base/clock.h"
#include "op/walfile.h"

/* What says that a file is the same as before: any write, rename or link changes one of these. */
typedef struct {
    uint64_t dev, ino, len;
    Timestamp modified_at, changed_at;
    bool fresh; /* so lately that a further write might leave the times as they are */
} WalIdentity;

/* BS_ERROR_USAGE: no regular file. */
bool wal_identity_of(int fd, WalIdentity *ret_identity, GError **error);
/* Never true for a fresh one. */
bool wal_identity_same(const WalIdentity *a, const WalIdentity *b);

/*
 * The content of the file that is open as fd, which must be as long as a file of file->name may be,
 * stay as it is meanwhile, and still have that name in the directory pg_wal afterwards (-1: not
 * asked): a server uses the files of segments again under other names. BS_ERROR_TRANSIENT: it was
 * changed. Sets file->content.
 */
bool wal_input_read(int fd, int pg_wal, WalFile *file, WalIdentity *ret_identity, GError **error);
