/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs in the order in which they are wanted, read and opened ahead of whoever takes them. Each
 * worker reads a range of a pack into a buffer of its own; of a far store a range is all neighbours
 * that are wanted one after the other and fit, of a near one a single blob. One thread adds and
 * takes.
 */
#pragma once
#include "flow/reading.h"

typedef struct BlobAhead BlobAhead;

/* Takes as many of the reading's plain buffers as there are workers. */
BlobAhead *blob_ahead_new(Reading *reading, unsigned workers);
void blob_ahead_free(BlobAhead *ahead); /* waits for what is being read */

/* False: there is no room before the first one is dropped. */
bool blob_ahead_add(BlobAhead *ahead, const Id *id);
/* No neighbour will come for now: what was added last is read. */
void blob_ahead_send(BlobAhead *ahead);
/* Waits for the first blob that was added and not dropped: there must be one. It is there until it
 * is dropped. NULL without an error: the run is over. */
const Plain *blob_ahead_first(BlobAhead *ahead, GError **error);
void blob_ahead_drop_first(BlobAhead *ahead);
