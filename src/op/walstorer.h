/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts received WAL into a repository, in a thread of its own and in the order it is handed over:
 * whole segments, and parts of the one that is being filled. What the store does not take is tried
 * again until it does; meanwhile buffers run out, and that is how the sender is slowed down. The
 * handing over, asking and freeing is for one thread.
 */
#pragma once
#include "base/cancel.h"
#include "repo/walobject.h"

typedef struct WalStorer WalStorer;

/* system_id: of the cluster that all must be of. cancel: ends what is tried, and the trying.
 * Borrowed, both it and repo. NULL with error set. */
WalStorer *wal_storer_new(Repo *repo, uint64_t system_id, uint32_t segment_size,
                          const Cancel *cancel, GError **error);
/* Ends the thread; what is not stored yet is lost. Unless all is, cancel must be set before. */
void wal_storer_free(WalStorer *storer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalStorer, wal_storer_free)

/* A buffer for a segment; NULL: all are in use. */
uint8_t *wal_storer_take(WalStorer *storer);

typedef struct {
    uint32_t timeline;
    uint64_t begin;  /* LSN: of the segment */
    uint8_t *buffer; /* from wal_storer_take() */
    size_t len;      /* bytes of it that have come; the first page header must be among them */
} WalPiece;

/* The whole segment; takes the buffer. */
void wal_storer_put_whole(WalStorer *storer, const WalPiece *piece);
/* What there is of it. The caller may go on filling the buffer behind len. */
void wal_storer_put_part(WalStorer *storer, const WalPiece *piece);
/* Takes the buffer back, with nothing of it to be stored any more. */
void wal_storer_give(WalStorer *storer, uint8_t *buffer);
/* While idle: this part was stored before, by another run; what comes next takes its place. */
void wal_storer_go_on(WalStorer *storer, const WalObject *part);
/* Parts that nobody needs: removed when something has been stored. Of WalObject. */
void wal_storer_add_stale(WalStorer *storer, const GArray *objects);

typedef struct {
    uint32_t timeline; /* of what was stored last; 0: nothing was */
    uint64_t durable;  /* LSN: where that ends */
    bool idle;         /* all is stored */
    bool part_waits;   /* a part is not stored yet */
} WalStorerState;

/* False with what ended it: BS_ERROR_MISMATCH, another content is there already, or this is no WAL
 * of that place; BS_ERROR_CORRUPT; BS_ERROR_CANCELLED. */
bool wal_storer_state(WalStorer *storer, WalStorerState *ret_state, GError **error);

typedef struct {
    WalObject object;
    uint64_t end; /* LSN */
    bool whole, was_there;
    uint64_t stored; /* bytes that were added */
} WalStored;

/* What has become durable, one after the other. False: nothing new. */
bool wal_storer_next(WalStorer *storer, WalStored *ret_stored);
/* Can be read when there is something new to ask for; asking for the state makes it wait again. */
int wal_storer_wake_fd(const WalStorer *storer);
