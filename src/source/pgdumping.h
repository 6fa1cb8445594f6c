/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the reader of a dump share: a slice of the stream becomes fields
 * (pgdumpfield.c), these become entries (pgdumptoc.c) or blocks of data (pgdumpdata.c).
 */
#pragma once
#include "codec/hash.h"
#include "source/pgdump.h"
#include "source/pgunpack.h"

#define PGDUMP_FIELD_MAX PGDUMP_INT_MAX /* bytes: sign and eight of them; flag and offset */

/* An archive is a sequence of fields; after the table of contents they repeat. */
typedef enum {
    AT_MAGIC,
    AT_VERSION,
    AT_SIZES,
    AT_LEVEL,
    AT_ALGORITHM,
    AT_DATE, /* seven integers */
    AT_DATABASE,
    AT_SERVER_VERSION,
    AT_DUMP_VERSION,
    AT_TOC_COUNT,

    AT_ID,
    AT_HAD_DUMPER,
    AT_CATALOG_TABLE,
    AT_CATALOG_OID,
    AT_TAG,
    AT_DESC,
    AT_SECTION,
    AT_DEFINITION,
    AT_DROP,
    AT_COPY,
    AT_SCHEMA,
    AT_TABLESPACE,
    AT_ACCESS_METHOD,
    AT_RELKIND,
    AT_OWNER,
    AT_WITH_OIDS,
    AT_DEPENDENCY, /* until one is NULL */
    AT_OFFSET,     /* of an archive in one file */
    AT_FILE,       /* of one in a directory */

    AT_BLOCK_TYPE,
    AT_BLOCK_ID,
    AT_OBJECT_OID, /* of a large object; 0: no more */
    AT_CHUNK_LEN,  /* 0: end of the data */
    AT_CHUNK,
    N_PLACES
} Place;

struct PgDump {
    bool only_toc; /* of an archive in directory format */
    Place place;
    bool failed;
    uint64_t offset; /* bytes seen, for error texts */
    uint64_t fed, toc_len;

    uint8_t held[PGDUMP_FIELD_MAX]; /* the beginning of a field that the last slice cut */
    size_t n_held;

    bool in_string;
    bool string_is_null;
    uint64_t string_left;
    bool string_kept;
    GString *string;

    size_t offset_size;
    int date_left;
    PgDumpHeader header;
    size_t kept;

    int64_t entries_left;
    GPtrArray *entries;
    GHashTable *by_id;  /* id -> PgDumpEntry */
    PgDumpEntry *entry; /* being read */
    GArray *depends_on;

    PgDumpEntry *block; /* whose data is being read */
    bool in_large_objects;
    uint64_t chunk_left;
    uint64_t n_objects, object_bytes;
    PgUnpack *unpack; /* NULL: the data are not compressed, or none came yet */
    Hash *hash;
    uint8_t *stage; /* COPY text gathered: rows come in chunks of their own */
    size_t n_staged;
};

typedef struct {
    const uint8_t *data;
    size_t len;
} Slice;

/* BS_ERROR_CORRUPT with the place in the stream; false. */
bool pgdump_corrupt(const PgDump *dump, GError **error, const char *what);

/* ---- pgdumpfield.c ---- */

/* To the next field that archives of this version have. */
void pgdump_next_place(PgDump *dump);

/* ---- pgdumptoc.c: a whole field, and dump->place says which ---- */

bool pgdump_on_bytes(PgDump *dump, const uint8_t *field, GError **error);
bool pgdump_on_int(PgDump *dump, int64_t value, GError **error);
/* That string_is_null, string_kept and string hold. */
bool pgdump_on_string(PgDump *dump, GError **error);

/* ---- pgdumpdata.c ---- */

/* Room for what the data of a block are gathered in. */
uint8_t *pgdump_stage_new(void);
bool pgdump_on_block_type(PgDump *dump, uint8_t type, GError **error);
/* id: of the entry whose data come. */
bool pgdump_block_begin(PgDump *dump, int64_t id, GError **error);
/* oid: of the large object whose data come; 0: no more. */
bool pgdump_object_begin(PgDump *dump, int64_t oid, GError **error);
/* len: of the piece that comes; 0: the data end. */
bool pgdump_chunk_begin(PgDump *dump, int64_t len, GError **error);
bool pgdump_chunk_take(PgDump *dump, Slice *in, GError **error);
