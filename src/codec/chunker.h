/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream is cut into chunks. Two kinds behind one interface: content-defined (a gear hash
 * keyed by the repository, doc/chunker.md: the table, masks and limits there never change) and
 * fixed. Nothing of the data is kept: the caller hands in what it has, the chunker says how much of
 * it belongs to the current chunk. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_MIN ((size_t)512 * 1024)
#define CHUNK_MAX ((size_t)8 * 1024 * 1024)

typedef struct {
    uint64_t entries[256];
} GearTable;

/* HKDF-SHA256 over the 64-byte master key E | k | r, label "backstay gear v1". r is clamped here.
 */
void gear_table_derive(const uint8_t master[64], GearTable *ret_table);

typedef struct {
    const GearTable *gear; /* NULL: fixed cuts */
    size_t fixed;          /* cut size in bytes */
    uint64_t hash;
    size_t len; /* of the chunk so far */
} Chunker;

void chunker_init_content(Chunker *chunker, const GearTable *gear); /* borrowed */
void chunker_init_fixed(Chunker *chunker, size_t size); /* 4 KiB .. 8 MiB, a power of two */

/* How many of the len bytes at data (at least one) go to the current chunk: 1..len. *ret_cut tells
 * whether the chunk ends there; then the next call starts a new one. Where chunks end does not
 * depend on how the data is handed in. */
size_t chunker_next(Chunker *chunker, const void *data, size_t len, bool *ret_cut);
/* The stream ended (or a new one begins): forget the unfinished chunk. */
void chunker_reset(Chunker *chunker);
