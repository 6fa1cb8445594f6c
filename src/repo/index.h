/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where every blob lies. The index objects of the repository are merged into one sorted array of
 * 48-byte entries plus a table of packs; with a cache directory it is a file, mapped and used as it
 * is as long as the repository lists the same index objects (file checked by HMAC under a key from
 * the master key, for a wrong entry here would make a backup skip a blob). What this run adds lives
 * in a small table beside. find, find_all and claim may be called from any thread; the rest only
 * while no other call runs.
 */
#pragma once
#include "base/cancel.h"
#include "repo/file.h"
#include "store/store.h"

typedef struct Index Index;
typedef struct Repo Repo;

typedef struct {
    Id pack;
    uint32_t offset, length; /* of the sealed blob in the pack */
    uint32_t plain_len;      /* before compression; 0: not compressed */
} BlobPlace;

typedef struct {
    Id id;
    BlobType type;
    uint32_t offset, length, plain_len;
} PackBlob; /* one blob of a pack: header entry, index entry */

static inline size_t blob_plain_len(uint32_t length, uint32_t plain_len)
{
    return plain_len ? plain_len : length - 32; /* SEAL_OVERHEAD */
}

/* BS_ERROR_CORRUPT names a damaged index object and the way out. */
bool index_load(Repo *repo, const Cancel *cancel, Index **ret_index, GError **error);
/* A damaged index object; true: go on without it. */
typedef bool (*IndexBad)(const Id *object, const GError *problem, void *user);
/* For check and repair: reads every index object and never the cache. bad is called in this thread,
 * in the order of the ids; what it passes over is not among index_objects(). */
bool index_load_full(Repo *repo, IndexBad bad, void *user, const Cancel *cancel, Index **ret_index,
                     GError **error);
/* One that knows nothing: for prune, which stores anew what is there. */
Index *index_new_empty(void);
void index_free(Index *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Index, index_free)

/* Any one place. */
bool index_find(const Index *index, BlobType type, const Id *id, BlobPlace *ret_place);
/* Up to max places (NULL with 0), how many there are in all is returned. */
size_t index_find_all(const Index *index, BlobType type, const Id *id, BlobPlace *places,
                      size_t max);
/* True: the caller is the first to want it and must store it (and later index_add it). False: it is
 * in the repository, or another thread of this run is storing it. */
bool index_claim(Index *index, BlobType type, const Id *id);
/* A pack of this run is durable: its blobs can be found from now on. Any thread. */
void index_add(Index *index, const Id *pack, const PackBlob *blobs, size_t n);

/* From here on: as loaded, without what index_add() brought since. */

/* Entries; a blob in two packs counts twice. */
uint64_t index_n_blobs(const Index *index);
uint64_t index_n_packs(const Index *index);
/* The index objects it was built from, sorted. Of Id. Borrowed. */
const GArray *index_objects(const Index *index);

/* Every entry, grouped by pack and sorted by offset within it; duplicates of a pack in several
 * index objects merged. False from each ends it and is returned. */
typedef bool (*IndexEachPack)(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                              GError **error);
bool index_each_pack(const Index *index, IndexEachPack each, void *user, GError **error);
/* Numbers for sets of blobs: every distinct (type, id) has one below index_n_ids(), stable while
 * loaded. Blobs with several places leave holes. SIZE_MAX: not in the index. */
size_t index_number(const Index *index, BlobType type, const Id *id);
size_t index_n_ids(const Index *index);

/* ---- the JSON of index objects (repository format, "Index") ---- */

/* A pack may come several times, and with no blobs. Blobs are in the text's order; offset + length
 * is below 4 GiB, length at least a seal's. BS_ERROR_CORRUPT with the place in the text; an error
 * of each as it is. */
bool index_text_parse(const char *text, size_t len, IndexEachPack each, void *user, GError **error);
typedef struct IndexText IndexText; /* one index object being written */
IndexText *index_text_new(void);
void index_text_free(IndexText *text);
void index_text_add(IndexText *text, const Id *pack, const PackBlob *blobs, size_t n);
size_t index_text_n_blobs(const IndexText *text);
/* Ends it: the whole JSON with its newline. Borrowed until free. */
const char *index_text_finish(IndexText *text, size_t *ret_len);
