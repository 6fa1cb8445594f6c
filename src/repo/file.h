/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a repository's objects (repository format, "Layout") and the types of blobs. */
#pragma once
#include "base/id.h"
#include "store/store.h"

typedef enum { FILE_KEY, FILE_SNAPSHOT, FILE_INDEX, FILE_LOCK, FILE_PACK } FileType;

/* As on the wire: a tree listed as data is another blob. */
typedef enum { BLOB_DATA = 0, BLOB_TREE = 1 } BlobType;

const char *file_type_name(FileType type); /* "key", "snapshot", ..., for messages */
const char *file_dir(FileType type);       /* "keys/", "snapshots/", ..., "data/" */
const char *blob_type_name(BlobType type); /* "data", "tree" */

typedef struct {
    char text[80];
} FileKey;

/* "data/ab/ab12...", "snapshots/..." : by value, file_key(FILE_PACK, &id).text */
FileKey file_key(FileType type, const Id *id);
/* The id of a key below file_dir(type); false for any other name. */
bool file_parse_key(FileType type, const char *key, Id *ret_id);

typedef struct {
    Id id;
    uint64_t size;
    int64_t modified_at;
} FileInfo;

/* What lies in file_dir(type), sorted by id; names that are no ids are passed over (counted in
 * ret_foreign unless NULL). Of FileInfo. */
bool file_list(Store *store, FileType type, GArray **ret_files, unsigned *ret_foreign,
               GError **error);
