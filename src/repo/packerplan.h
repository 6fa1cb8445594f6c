/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many threads and buffers a packer has: memory is a sum we set. Uploads come first, for
 * waiting for a distant store is what costs time; batches, and with them workers, have what is
 * left. Pure.
 */
#pragma once
#include "repo/packer.h"

/* Batches and packs together, with packs up to 40 MiB: a run stays below 256 MiB. Larger packs mean
 * fewer uploads, but one there must be. */
#define PACKER_MEMORY_MAX ((size_t)248 * 1024 * 1024)
#define PACKER_WORKERS    8
#define PACKER_BATCH_SIZE                                                                          \
    (CHUNK_MAX + BATCH_FULL) /* a chunk may begin just before a batch counts as full */

typedef struct {
    unsigned workers, batches, uploads;
    size_t pack_capacity;
} PackerPlan;

/* cores: that many workers at most; connections: what the store says; pack_size: 0 for 16 MiB. */
PackerPlan packer_plan(unsigned cores, unsigned connections, size_t pack_size);
