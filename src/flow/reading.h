/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the reader: what its halves share. The walk (reader.c) meets entries in order and hands
 * files over to one of two ways of fetching content: in any order (readany.c), or in the order of
 * the files (readorder.c).
 */
#pragma once
#include "base/buffers.h"
#include "flow/reader.h"
#include "repo/blob.h"
#include <pthread.h>
#include <stdatomic.h>

/* A blob of the largest chunk, sealed and not compressible, fits. */
#define BLOB_ROOM (8u * 1024 * 1024 + 64u * 1024)
/* Larger blobs are refused: other writers stay at or below 64 MiB. */
#define BLOB_MAX (256u * 1024 * 1024)

typedef struct {
    Repo *repo;
    Sink *sink;
    const ReaderOptions *options;
    const Cancel *cancel;
    Buffers *sealed, *plain; /* sealed: one for every worker; plain: for every opener, or slot */
    /* Joining blobs of one pack saves a request for each; what lies between is read in vain. Bytes
     * of a range, the size of the sealed buffers, and of a gap. */
    size_t range_max, gap_max;
    bool joins;            /* in order: worth it, that is, the store is far */
    pthread_mutex_t large; /* at most one blob beyond the buffers at a time */

    pthread_mutex_t mutex; /* problem() and failure */
    GError *failure;
    atomic_bool failed;
} Reading;

/* An entry could not be had. False: the run is over. Takes problem. Any thread. */
bool reading_problem(Reading *reading, const char *path, GError *problem);
/* True when there is no use in going on; sees a cancel. */
bool reading_over(Reading *reading);

/* Plain bytes of a blob: in a buffer, or in an allocation of its own. */
typedef struct {
    const uint8_t *data;
    size_t len;
    GBytes *own;
} Plain;
void plain_clear(Plain *plain);

/* Opens sealed bytes that were read from place (they are overwritten); NULL: they could not be
 * read. When they are damaged, another place is tried. out: a plain buffer. */
bool reading_open(Reading *reading, BlobOpener *opener, const Id *id, const BlobPlace *place,
                  uint8_t *sealed, uint8_t *out, Plain *ret_plain, GError **error);
/* False with BS_ERROR_NOT_FOUND: not all of a file's content is in the index. */
bool reading_find(Reading *reading, const Id *id, BlobPlace *ret_place, GError **error);

/* Needs more than the buffers have. */
bool reading_is_large(const BlobPlace *place);
/* Whether next, which does not lie before last, can be read together with the range from first to
 * last. */
bool reading_joins(const Reading *reading, const BlobPlace *first, const BlobPlace *last,
                   const BlobPlace *next);

/* ---- content in any order, for SINK_MANY_OPEN | SINK_ANY_ORDER ---- */

typedef struct AnyOrder AnyOrder;
AnyOrder *any_order_new(Reading *reading, unsigned workers);
/* A file that was begun; its end or abandon is left to the workers. */
void any_order_file(AnyOrder *any, const char *path, const Node *node, void *handle);
void any_order_free(AnyOrder *any); /* waits for all of it */

/* ---- content in order, decoded ahead ---- */

typedef struct InOrder InOrder;
InOrder *in_order_new(Reading *reading, unsigned workers);
void in_order_begin_dir(InOrder *order, const char *path, const Node *node);
/* A file or any other leaf. */
void in_order_entry(InOrder *order, const char *path, const Node *node);
void in_order_end_dir(InOrder *order, const char *path, bool complete);
/* Takes a tree (or NULL) whose nodes were handed over, until they are done with. */
void in_order_keep(InOrder *order, Tree *tree);
void in_order_flush(InOrder *order);
void in_order_free(InOrder *order);
