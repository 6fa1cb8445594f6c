/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of copies, for the cache (store/cache.h): files named as the objects they copy, whose
 * names in turn say what is in them: the last part of the key is the SHA-256 of the content, in
 * hex. Whatever is wrong with a copy, or with the directory, it is as if there were none. The
 * directory may be deleted at any time and used by several processes at once; files are 0400,
 * directories 0700. Any thread.
 */
#pragma once
#include "base/id.h"
#include "store/store.h"

typedef struct Copies Copies;

/* dir is made with the first copy. bytes: of all of them together. */
Copies *copies_new(const char *dir, uint64_t bytes);
void copies_free(Copies *copies);

/* False: objects with such a key have no copies. */
bool copies_id_of(const char *key, Id *ret_id);

/* From now on a copy counts only when this process has made it. */
void copies_distrust(Copies *copies);
bool copies_has(Copies *copies, const char *key);
/* False: ask the store. A part is given as it lies there. */
bool copies_get(Copies *copies, const char *key, uint64_t offset, void *buf, size_t len);
/* The same, but what it gives has the hash that the key names. */
bool copies_get_whole(Copies *copies, const char *key, size_t bound, GBytes **ret_data);
/* True: there was a copy that is not what its name says, and it is gone. */
bool copies_drop_damaged(Copies *copies, const char *key);
void copies_drop(Copies *copies, const char *key);
/* Set of the keys below prefix that have copies. */
GHashTable *copies_list(Copies *copies, const char *prefix);

/* False: a copy of this object would not be made, so there is no use in fetching it. */
bool copies_can_add(Copies *copies, const char *key);
/* It cannot have one as long as this process lives. */
void copies_refuse(Copies *copies, const char *key);
/* What the store holds under this key. Nothing happens when the hash differs, there is no room, or
 * the disk does not take it; the last of these ends all adding, with a debug line. */
void copies_add(Copies *copies, const char *key, const void *data, size_t len);
/* The same in pieces; read fails when what it gave proves wrong, and is not asked when there is no
 * room. */
void copies_add_stream(Copies *copies, const char *key, uint64_t size, StoreRead read, void *user);
