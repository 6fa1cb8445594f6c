/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats of portable files share: the source, and one run of it. One thread. */
#pragma once
#include "source/import.h"
#include "source/pgdump.h"
#include "source/pgpush.h"
#include <jansson.h>

typedef struct {
    Source base;
    ImportFormat format;
    char *directory;   /* NULL, or what is read instead of an inlet */
    Inlet *inlet;      /* unpacked */
    OutletCount count; /* of the file as it is, packed */
    InletBounds bounds;
    bool encrypted;
    const char *packed;
    char *origin, *file;
    char *database; /* NULL: what the file says */
    int64_t modified_at;
    uint64_t entries_max;
    size_t parent_cut; /* of a database in pages; 0: not known */
    json_t *sidecar;   /* NULL: none */
} ImportSource;

typedef struct {
    ImportSource *source;
    Inlet *inlet;        /* of the one file at hand: the source's, or one in its archive */
    const char *file;    /* its name */
    GHashTable *claimed; /* names of files in the top folder */
    PgPush push;
    json_t *manifest;
} Import;

/* The name without directories and without the ends that say how it is packed; to be freed. */
char *import_stem(const char *file);
#define IMPORT_LOOK_LEN 16384u
/* What begins so; IMPORT_DETECT: nothing that is known. */
ImportFormat import_look(const uint8_t *data, size_t n);

/* ---- importlook.c: whether the first n bytes of a file are of that kind ---- */

bool import_is_dump(const uint8_t *data, size_t n);
bool import_is_dump_files(const uint8_t *data, size_t n);
bool import_is_sql(const uint8_t *data, size_t n);
bool import_is_rdb(const uint8_t *data, size_t n);
bool import_is_sqlite(const uint8_t *data, size_t n);
bool import_is_tar(const uint8_t *data, size_t n);
bool import_is_application(const uint8_t *data, size_t n);

/* ---- import.c ---- */

/* A file of this name will come into the top folder. BS_ERROR_CORRUPT: there is one. */
bool import_claim(Import *import, const char *file, GError **error);
/* The item of the database in what the sidecar has recorded; NULL. Borrowed. */
const json_t *import_recorded(const Import *import, const char *database);

/* What the manifest beside the file tells of facts goes into that of the snapshot. */
void import_add_facts(Import *import);

/* ---- importpg.c ---- */

/* To a list of the item of a database. */
void import_add_extension(json_t *list, const char *name);
/* The item of the one database, and what the manifest says of its server. server_version: as text;
 * NULL: not known. */
void import_add_database(Import *import, const char *name, const char *server_version,
                         json_t *facts);

/* The file has come to its end, and is what the manifest beside it says; then the import's own
 * manifest goes into the folder that the sink is in. */
bool import_finish(Import *import, GError **error);

/* Archives, which begin and end the top folder, and finish, themselves. */
bool import_files(Import *import, GError **error);
bool import_application(Import *import, GError **error);
/* What the manifest says of the database of a dump, to facts of its file. */
void import_describe_dump(Import *import, const char *name, const PgDump *dump, json_t *facts);
/* One format: pushes its files into the top folder, which is begun, and adds to the manifest. What
 * inlet gives must be read to its end. */
bool import_dump(Import *import, GError **error);
bool import_directory(Import *import, GError **error); /* from the top folder to the end */
bool import_sql(Import *import, GError **error);
bool import_globals(Import *import, GError **error);
bool import_sqlite(Import *import, GError **error);
bool import_rdb(Import *import, GError **error);
