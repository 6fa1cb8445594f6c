/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis database file (RDB, versions 1 to 12, written by Redis 2.6 to 7.4) as it streams past:
 * its keys are counted, nothing of it is kept, and its own end and checksum tell that it is whole.
 * The source is not trusted. Pure; one thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Keys, and texts of the file itself, are held whole; longer ones are refused. */
#define RDB_TEXT_MAX (64u * 1024 * 1024)

typedef struct RdbWalker RdbWalker;

typedef struct {
    uint32_t database;
    const char *text; /* any bytes; borrowed for the call */
    size_t len;
    uint8_t type;
    int64_t expire_ms; /* Unix time; -1: never */
    int64_t idle_s;    /* for eviction by LRU; -1: not said */
    int frequency;     /* by LFU; -1: not said */
} RdbKey;

/* What is seen, in the order of the file. Any may be NULL; false with error ends the walk. */
typedef struct {
    bool (*key)(void *user, const RdbKey *key, GError **error);
    /* Pieces of its value as it is serialised, behind the byte of the type: what DUMP gives, less
     * the version and the checksum at its end. */
    bool (*value)(void *user, const void *data, size_t len, GError **error);
    bool (*key_end)(void *user, GError **error);
    bool (*function)(void *user, const char *code, size_t len, GError **error); /* a library */
    void *user;
} RdbVisitor;

/* visitor: NULL: only count. Borrowed, for the walker's life. */
RdbWalker *rdb_walker_new(const RdbVisitor *visitor);
void rdb_walker_free(RdbWalker *walker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RdbWalker, rdb_walker_free)

/* Takes the next bytes, all of them (*ret_used) but for what comes after the file's end.
 * BS_ERROR_CORRUPT: not such a file, damaged, or beyond the bounds; BS_ERROR_VERSION: newer than
 * what is known; BS_ERROR_UNSUPPORTED: written by a test version of Redis. */
bool rdb_feed(RdbWalker *walker, const void *data, size_t len, size_t *ret_used, GError **error);
bool rdb_ended(const RdbWalker *walker);
/* False with BS_ERROR_CORRUPT when the end was not reached. */
bool rdb_finish(const RdbWalker *walker, GError **error);

/* ---- what was seen ---- */

typedef struct {
    uint32_t number;
    uint64_t keys;
    uint64_t expires;   /* of these with a time to live */
    uint64_t types[26]; /* by the type's number; rdb_type() names them */
} RdbDatabase;

unsigned rdb_version(const RdbWalker *walker);
uint64_t rdb_size(const RdbWalker *walker); /* bytes taken */
/* The server may be told to write none; then only its end tells that the file is whole. */
bool rdb_has_checksum(const RdbWalker *walker);
const GArray *rdb_databases(const RdbWalker *walker); /* of RdbDatabase; borrowed */
uint64_t rdb_n_functions(const RdbWalker *walker);    /* libraries */
/* "redis-ver", "ctime", "used-mem", ...; NULL: not said. Borrowed. */
const char *rdb_aux(const RdbWalker *walker, const char *name);
/* Names of modules, such as "ReJSON-RL", whose data the file holds; of char *, borrowed. */
const GPtrArray *rdb_modules(const RdbWalker *walker);
