/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of far objects in a directory near by (store/copies.h). Only objects whose names say what
 * is in them can have one: the last part of the key is the SHA-256 of the content, in hex.
 * Everything else passes.
 *
 * A copy only saves time. It is made when its object is put or first read, whole, after its hash
 * was compared with its name. It is compared again whenever it is read whole; of a part that was
 * read only the reader can say whether it is sound, and cache_drop_damaged() helps him. It goes
 * when its object is removed, or is missing in a complete listing, or has not been used for longest
 * and there are more bytes than allowed. When the directory takes nothing more (full disk, no
 * permission) everything is asked of the store, and a debug line says so. Any thread.
 */
#pragma once
#include "store/store.h"

typedef struct Cache Cache;

/* dir is made with the first copy. bytes: of all copies together; with several processes each may
 * add a sixteenth before it sees what the others have added. A copy takes at most a quarter of
 * them, and a twentieth of the disk is left free. */
Cache *cache_new(const char *dir, uint64_t bytes);
void cache_free(Cache *cache); /* after the stores that use it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cache, cache_free)

/* From now on a copy counts only when it is made after this: for whoever must see what the store
 * holds. */
void cache_distrust(Cache *cache);
/* True: there was a copy that is not what its name says, and it is gone. */
bool cache_drop_damaged(Cache *cache, const char *key);

/*
 * next, with copies of the objects below these prefixes (NULL-terminated, borrowed). Several stores
 * may share a cache and next: one asks for whole packs of trees, another for parts of other packs,
 * under the same prefix. A part of an object that has no copy costs the whole object, and 17.5 MiB
 * of memory at most, for they are fetched one after the other. Borrows both.
 */
Store *cache_store_new(Store *next, Cache *cache, const char *const *prefixes);
