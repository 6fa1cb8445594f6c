/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs that a store has acknowledged and nobody has seen yet. A directory proves what it
 * acknowledges (fsync); a server can say yes and keep nothing, or half. Where a store says so of
 * itself (acks_may_lie), its objects are looked for before anything is built on them: an index
 * object must not name a pack that is not there, for later runs would not store its blobs again.
 *
 * The price is as many requests as packs, or as pages of a listing of all packs, whichever is less:
 * a first backup pays one for each thousand packs. One thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "repo/file.h"

typedef struct Arrivals Arrivals;

Arrivals *arrivals_new(void);
void arrivals_free(Arrivals *arrivals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arrivals, arrivals_free)

void arrivals_add(Arrivals *arrivals, const Id *pack, uint64_t size);

/* True at once where acknowledging is proof. n_there: about how many other packs the repository
 * has. Listings may lag behind, so what is missing is looked for again for ten seconds.
 * BS_ERROR_FAILED names the first that is missing or has another size. */
bool arrivals_prove(const Arrivals *arrivals, Store *store, uint64_t n_there, const Cancel *cancel,
                    GError **error);
/* The same of a single object. */
bool arrival_prove(Store *store, const char *key, uint64_t size, const Cancel *cancel,
                   GError **error);
