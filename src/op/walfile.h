/* SPDX-License-Identifier: Apache-2.0 */
/* One file of PostgreSQL's write-ahead log on its way into a repository: what it must be before
 * anything is stored. Any thread. */
#pragma once
#include "op/open.h"
#include "pg/walname.h"
#include "repo/walobject.h"

typedef struct {
    WalName name;
    GBytes *content;
    uint64_t system_id; /* 0: the file does not say */
} WalFile;

void wal_file_clear(WalFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalFile, wal_file_clear)

typedef struct {
    char name[42];
    uint64_t system_id;
    uint64_t len;    /* of the file */
    uint64_t stored; /* bytes that were added; 0: it was there already */
    bool was_there;
    WalMark mark; /* of what was added by this process */
} WalPushed;

/* What a file of this name has at most, in bytes. */
size_t wal_file_bound(const WalName *name);
/* Compares name and content, and takes system_id from it: a segment is as long as its first page
 * says and the one that its name says, a history is one that PostgreSQL would read, a label is one.
 * BS_ERROR_CORRUPT, BS_ERROR_MISMATCH. */
bool wal_file_check(WalFile *file, GError **error);
/* beside: of the data directory that it lies in, 0 for not known. What the file does not say itself
 * is taken from there; otherwise both must agree: BS_ERROR_MISMATCH. It may stay 0. */
bool wal_file_settle(WalFile *file, uint64_t beside, GError **error);
/* Of a checked file whose cluster is known. Durable when it returns true. BS_ERROR_MISMATCH:
 * another content is already there; or it is the part of a segment, filled up with zeros, and what
 * is in it is not held. */
bool wal_file_put(OpenRepo *open, const WalFile *file, WalPushed *ret_pushed, GError **error);
