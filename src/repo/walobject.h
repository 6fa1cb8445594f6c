/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of PostgreSQL's write-ahead log in a repository: segments, partial ones, histories of
 * timelines, labels of backups (repository format, "The wal/ prefix"). Each is one object
 * wal/<system identifier>/<timeline>/<name>, without index and without lock. Sealed with it is a
 * header that says all of that again with length and SHA-256, for nothing else binds an object to
 * its name: one that was swapped, renamed or cut is found. What the names mean is not known here.
 * Any thread.
 */
#pragma once
#include "repo/repo.h"

#define WAL_OBJECT_NAME_MAX 63u
#define WAL_CONTENT_MAX     (UINT32_C(1) << 30) /* the largest segment */
#define WAL_HEADER_MAX      1024u

typedef struct {
    uint64_t system_id; /* of the cluster */
    char name[WAL_OBJECT_NAME_MAX + 1];
} WalObject;

/* The name begins with the timeline, eight upper-case hex digits; of the rest only letters, digits
 * and dots are allowed. BS_ERROR_USAGE. */
bool wal_object_init(WalObject *object, uint64_t system_id, const char *name, GError **error);
uint32_t wal_object_timeline(const WalObject *object);

typedef struct {
    char text[WAL_OBJECT_NAME_MAX + 40];
} WalKey;

/* By value, so that it can stand in an argument list. */
WalKey wal_object_key(const WalObject *object);
/* False for what is no key of ours. */
bool wal_object_parse_key(const char *key, WalObject *ret_object);

/* ---- the header: one line of JSON before the content ---- */

typedef struct {
    WalObject object;
    uint64_t len; /* of the content, in bytes */
    Id sha256;    /* of the content */
} WalHeader;

/* With its newline. */
char *wal_header_encode(const WalHeader *header);
/* text: what an object holds, from its begin. *ret_len: where the content begins.
 * BS_ERROR_CORRUPT. */
bool wal_header_decode(const void *text, size_t len, WalHeader *ret_header, size_t *ret_len,
                       GError **error);

/* ---- objects ---- */

/* What is stored; opened again and compared (unless no_verify). len: at most WAL_CONTENT_MAX. */
bool wal_object_seal(Repo *repo, const WalObject *object, const void *content, size_t len,
                     GBytes **ret_stored, GError **error);
/* Takes stored. The content, proven to be that of this object. BS_ERROR_CORRUPT; BS_ERROR_MISMATCH:
 * it is sound, but of another name or cluster. */
bool wal_object_open(Repo *repo, const WalObject *object, GBytes *stored, GBytes **ret_content,
                     GError **error);

/* How an object lies in the store: which one it is, of all that were ever sealed, by its last
 * bytes, which authenticate all the others. */
#define WAL_MARK_LEN 16u
typedef struct {
    uint64_t len; /* in the store; 0: nothing is known of it */
    uint8_t end[WAL_MARK_LEN];
} WalMark;

/*
 * Durable when it returns true. If the object is there already, it is read: with the same content
 * that is success (*ret_was_there), with another one BS_ERROR_MISMATCH names both hashes; what is
 * there is never replaced. ret_mark may be NULL: of a new object.
 */
bool wal_object_put(Repo *repo, const WalObject *object, const void *content, size_t len,
                    bool *ret_was_there, WalMark *ret_mark, GError **error);
/* Asks the store whether what lies there is still the object that has this mark. False also when it
 * cannot be asked. */
bool wal_object_bears(Repo *repo, const WalObject *object, const WalMark *mark);
/* The store says that there is none. False also when it cannot be asked. */
bool wal_object_is_absent(Repo *repo, const WalObject *object);
/* As wal_object_open. BS_ERROR_NOT_FOUND: the store says that there is none. */
bool wal_object_get(Repo *repo, const WalObject *object, GBytes **ret_content, GError **error);

typedef struct {
    WalObject object;
    uint64_t size; /* in the store */
    int64_t modified_at;
} WalInfo;

/* All of a cluster and timeline (0: of all), sorted by cluster and then by name: of a timeline its
 * history first, then its segments by position, each followed by what belongs to it. Of WalInfo.
 * What is no object of ours is counted in *ret_foreign, which may be NULL. */
bool wal_object_list(Repo *repo, uint64_t system_id, uint32_t timeline, GArray **ret_objects,
                     unsigned *ret_foreign, GError **error);
