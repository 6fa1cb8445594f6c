/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of one channel on disk: a directory, and in it a file for each event that was not
 * delivered yet, named by a number that only grows and the event's id. Each is written whole and
 * synced before it counts, so neither SIGKILL nor a power loss takes a message; what was delivered
 * is removed. What belongs to one incident stays in order: what resolves it is not due while what
 * opens it waits. One process and one thread at a time.
 */
#pragma once
#include "daemon/spoolitem.h"

typedef struct Spool Spool;

#define SPOOL_MAX 500 /* files of one channel; when it is full the oldest go */

/* Makes the directory where it is missing, 0700, and removes what a crash has left half-written.
 * Files that cannot be read are set aside as "<name>.bad" and told in the log. */
bool spool_open(const char *dir, Spool **ret_spool, GError **error);
void spool_free(Spool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spool, spool_free)

/* Durable when it returns. The same id again changes nothing. */
bool spool_add(Spool *spool, const json_t *event, int64_t now, GError **error);
/* All that is due now, of SpoolItem, borrowed; one behind another of the same incident only when
 * that is due, too. */
GPtrArray *spool_all_due(Spool *spool, int64_t now);
/* They become one, event, which is as old as the oldest of them. However it is interrupted, they
 * are there or it is, never both. NULL: they stay as they were; else they are freed. */
SpoolItem *spool_group(Spool *spool, const GPtrArray *items, const json_t *event, GError **error);
/* When spool_all_due() has something more; INT64_MAX: it is empty. */
int64_t spool_next(const Spool *spool);
/* It was tried, and is to be tried again: with a growing wait, at least wait_s, with jitter. The
 * state is kept. */
bool spool_again(Spool *spool, SpoolItem *item, int64_t now, int64_t wait_s, GError **error);
/* Delivered, or given up. Frees the item. */
bool spool_remove(Spool *spool, SpoolItem *item, GError **error);
unsigned spool_n(const Spool *spool);

/* Seconds to wait after so many attempts: from half a minute, doubling, to an hour; within 20 % by
 * random, a number of any size. */
int64_t spool_wait(unsigned attempts, uint32_t random);
