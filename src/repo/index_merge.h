/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the entries of many index objects, which come in any order from several threads, into one
 * sorted image. They are gathered in runs of a million; a full run is sorted and put into a scratch
 * file, so that memory stays a number; at the end all runs and the older image are merged in one
 * pass.
 */
#pragma once
#include "repo/index_table.h"

typedef struct IndexMerge IndexMerge;

/* What one index object says: entries name packs by their number in packs. */
typedef struct {
    GArray *packs;   /* of Id */
    GArray *entries; /* of IndexEntry */
} IndexPiece;

/* A file without a name, or -1. */
typedef int (*IndexScratch)(void *user);

/* scratch: NULL to keep all in memory. */
IndexMerge *index_merge_new(IndexScratch scratch, void *user);
void index_merge_free(IndexMerge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IndexMerge, index_merge_free)

/* Any thread. The piece is copied. */
void index_merge_add(IndexMerge *merge, const IndexPiece *piece);
/* After the last piece. older: an image whose entries belong in too, or NULL. fd, key: as for
 * index_writer_new. May be called again when it failed. */
IndexTable *index_merge_finish(IndexMerge *merge, const IndexTable *older, const Id *objects,
                               size_t n_objects, int fd, const uint8_t *key, GError **error);
