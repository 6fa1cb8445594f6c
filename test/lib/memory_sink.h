/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that keeps what it gets, and can fail at a chosen byte. */
#pragma once
#include "flow/sink.h"

typedef struct {
    char *path;
    mode_t mode;
    uint64_t size; /* as said at the end */
    GByteArray *bytes;
    bool ended, abandoned;
} MemoryEntry;

typedef struct {
    Sink base;
    GPtrArray *entries; /* of MemoryEntry, in the order of their begin */
    uint64_t fail_at;   /* bytes in sum after which writes fail with NO_SPACE; 0: never */
    uint64_t written;
    bool finished;
} MemorySink;

MemorySink *memory_sink_new(void);
/* NULL: no such entry, or it was not ended. */
const MemoryEntry *memory_sink_find(const MemorySink *sink, const char *path);
