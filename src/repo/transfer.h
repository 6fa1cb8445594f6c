/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs from the packs of one repository into a packer: of another repository (copy) or of the same
 * one (prune). Each is opened once, its hash proved, and sealed anew without compressing again.
 * Workers read neighbours in one request. Memory: one range of at most 8 MiB, of a far store of at
 * most 17.5 MiB (or one larger blob), and one plain blob for each worker.
 */
#pragma once
#include "base/cancel.h"
#include "repo/packer.h"

typedef struct Transfer Transfer;

/* bytes: counts what was read, for progress; may be NULL. */
Transfer *transfer_new(Repo *from, Packer *to, _Atomic uint64_t *bytes, const Cancel *cancel);
/* These blobs of this pack, sorted by offset; copied. Waits while enough is on its way. False: the
 * transfer failed, finish tells. */
bool transfer_add(Transfer *transfer, const Id *pack, const PackBlob *blobs, size_t n);
/* Waits for all. A damaged blob is BS_ERROR_CORRUPT and ends everything: what is copied must be
 * whole. */
bool transfer_finish(Transfer *transfer, GError **error);
void transfer_free(Transfer *transfer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transfer, transfer_free)
