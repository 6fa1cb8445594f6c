/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the walker over Redis database files: rdb.c feeds it and keeps what was seen, rdbstep.c
 * decides what the next bytes are. */
#pragma once
#include "source/rdb.h"

#define RDB_LOOPS 4 /* within each other; streams have two */

/* What the bytes in small are, once there are enough. */
typedef enum {
    STATE_MAGIC,
    STATE_CODE,
    STATE_LENGTH,      /* its first byte */
    STATE_LENGTH_REST, /* what the first byte announced */
    STATE_FIXED,       /* bytes of a value that mean nothing here */
    STATE_FLOAT,       /* length of a number's text */
    STATE_BULK,        /* nothing; left bytes passed */
    STATE_CRC,
    STATE_ENDED,
} RdbState;

/* What a length is for. */
typedef enum { FOR_NUMBER, FOR_LOOP, FOR_STRING, FOR_PACKED, FOR_PLAIN, FOR_MODULE } RdbPurpose;

struct RdbWalker {
    const RdbVisitor *visitor;
    RdbState state;
    uint8_t small[16];
    size_t have, need;
    uint64_t left;   /* of a bulk */
    uint64_t offset; /* of the next byte in the file */
    uint64_t crc;
    unsigned version;
    bool checksum;

    uint8_t code;        /* of this record */
    const char *program; /* what follows; NULL: the next record */
    struct {
        const char *start;
        uint64_t left;
    } loops[RDB_LOOPS];
    unsigned depth;
    RdbPurpose purpose;
    uint64_t number; /* the last length */
    bool first_number;
    uint64_t module;

    bool in_value; /* of a key: its bytes are shown */
    bool wanted;   /* the string is kept in text */
    uint64_t packed_len;
    char encoding; /* of the wanted string: 'r'aw, 'n'umber, 'p'acked */
    uint64_t plain_len;
    GByteArray *text;
    char *aux_name;

    RdbKey key;
    RdbDatabase *database; /* counts of key.database; NULL: none yet */
    GArray *databases;
    GTree *places;        /* by number: the place in databases, from 1 on */
    uint64_t comparisons; /* made in it: what finding databases costs */
    GHashTable *aux;
    GPtrArray *modules;
    uint64_t n_functions;
};

/* The bytes awaited, in small or passed, are there: what comes next? */
bool rdb_step(RdbWalker *walker, GError **error);
bool rdb_corrupt(const RdbWalker *walker, GError **error, const char *what); /* false */

bool rdb_choose_database(RdbWalker *walker, uint64_t number, GError **error);
void rdb_add_module(RdbWalker *walker);
void rdb_keep_aux(RdbWalker *walker); /* a name, or its value */
