/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loaded index as one image, in a file of the cache or in memory:
 *
 *     index objects it was built from | packs | entries | starts | trailer
 *
 * Objects and packs are ids in order. Entries are sorted by id, then type, pack and offset. starts
 * holds the first entry of every value of the ids' first bits, so that a lookup touches one start
 * and a few neighbouring entries. The trailer has magic, counts and an HMAC-SHA256 over all before
 * it: an image that was cut, damaged or made by anybody else is no image. Numbers are in the
 * machine's byte order, as the magic shows. An image is never changed, so any thread may read it.
 */
#pragma once
#include "repo/index.h"

#define INDEX_TABLE_KEY_LEN 32
#define INDEX_ENTRY_TREE    0x80000000u
#define INDEX_PACKS_MAX     0x7fffffffu

typedef struct {
    Id id;
    uint32_t pack; /* number, with INDEX_ENTRY_TREE for trees */
    uint32_t offset, length, plain_len;
} IndexEntry;

typedef struct {
    const Id *objects;
    size_t n_objects;
    const Id *packs;
    size_t n_packs;
    const IndexEntry *entries;
    size_t n_entries;
    const uint32_t *starts;
    unsigned bits;
    void *map;
    size_t map_len;
} IndexTable;

/* The image in this file, proved in full. NULL: there is none worth anything. */
IndexTable *index_table_open(int fd, const uint8_t key[INDEX_TABLE_KEY_LEN]);
void index_table_free(IndexTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IndexTable, index_table_free)

static inline BlobType index_entry_type(const IndexEntry *entry)
{
    return entry->pack & INDEX_ENTRY_TREE ? BLOB_TREE : BLOB_DATA;
}

static inline uint32_t index_entry_pack(const IndexEntry *entry)
{
    return entry->pack & ~INDEX_ENTRY_TREE;
}

/* The first entry of this blob (others follow it), SIZE_MAX when there is none. */
size_t index_table_find(const IndexTable *table, BlobType type, const Id *id);
/* Is this entry one of this blob? at may be the end. */
bool index_table_is(const IndexTable *table, size_t at, BlobType type, const Id *id);

/* ---- making one ---- */

typedef struct IndexWriter IndexWriter;

typedef struct {
    const Id *objects;
    size_t n_objects;
    const Id *packs;
    size_t n_packs;
    size_t max_entries; /* as many may be added */
} IndexContents;

/* Into an empty file, or into memory with fd -1 (the key is not needed then). */
IndexWriter *index_writer_new(int fd, const uint8_t *key, const IndexContents *contents);
void index_writer_free(IndexWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IndexWriter, index_writer_free)

/* In order. */
void index_writer_add(IndexWriter *writer, const IndexEntry *entry);
/* Ends it. NULL with error set: a write failed now or before, or there is no memory. */
IndexTable *index_writer_finish(IndexWriter *writer, GError **error);
