/* SPDX-License-Identifier: Apache-2.0 */
/* The larger calls of the S3 store, each in a file of its own; contracts in store.h. */
#pragma once
#include "codec/rfc3339.h"
#include "store/s3call.h"
#include "store/s3page.h"

/* ---- s3put.c ---- */

bool s3_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
            GError **error);

/* The hash that a key ends in: most objects are named by the SHA-256 of their content. NULL: no
 * such name. Part of key. */
const char *s3_hash_in_name(const char *key);

/* "Content-MD5" of data as it goes into the header, and the MD5 in hex as an ETag has it. */
typedef struct {
    uint8_t md5[MD5_LEN];
    char *base64;
    char hex[2 * MD5_LEN + 1];
} S3Digest;
void s3_digest_init(S3Digest *digest, const void *data, size_t len);
void s3_digest_clear(S3Digest *digest);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Digest, s3_digest_clear)

/* The ETag of an answer is the MD5 of what was sent: true and false are facts, UNKNOWN is a server
 * whose ETags are something else. */
typedef enum { S3_ETAG_SAME, S3_ETAG_OTHER, S3_ETAG_UNKNOWN } S3Etag;
S3Etag s3_etag_compare(const S3Store *s3, const HttpReply *reply, const char *want);

/* Headers of what makes a new object: class, encryption, lock. Returns how many were added; they
 * last as long as until. */
size_t s3_new_object_headers(const S3Store *s3, const char *key, HttpHeader *headers,
                             char until[RFC3339_MAX]);
#define S3_NEW_OBJECT_HEADERS 6

/* ---- s3get.c ---- */

bool s3_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len, GError **error);
bool s3_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data, GError **error);
/* As s3_get_whole, of what query (NULL: nothing) says more exactly. */
bool s3_get_all(S3Store *s3, const char *key, const char *query, size_t bound, GBytes **ret_data,
                GError **error);

/* ---- s3stat.c ---- */

bool s3_stat(Store *store, const char *key, uint64_t *ret_size, GError **error);
/* For whoever may list, but not read. */
bool s3_stat_by_list(S3Store *s3, const char *key, uint64_t *ret_size, GError **error);
/* The headers of an object, or of what query (NULL: nothing) says more exactly. */
bool s3_head(S3Store *s3, const char *key, const char *query, HttpReply *ret_reply, GError **error);

/* ---- s3list.c ---- */

/* Onto query: name=value, escaped; nothing for NULL. */
void s3_query_add(GString *query, const char *name, const char *value);
/* One page of whatever read reads; what it was asked by for messages. ret_now: the server's clock,
 * may be NULL. */
typedef bool (*S3ReadPage)(const char *xml, size_t len, S3Page *ret_page, GError **error);
bool s3_get_page(S3Store *s3, const char *query, const char *subject, S3ReadPage read,
                 S3Page *ret_page, int64_t *ret_now, GError **error);
/* The store's key of what the bucket knows as full (which begins with our prefix): NULL when it is
 * none of ours. Part of full. */
const char *s3_key_of(const S3Store *s3, const char *full);

bool s3_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error);

/* ---- s3walk.c ---- */

/* A listing that may have several entries of a key. */
typedef struct {
    const char *query;     /* "uploads=" */
    const char *noun;      /* for messages */
    const char *id_marker; /* the parameter */
    S3ReadPage read;
} S3Listing;
/* now: the server's clock. */
typedef bool (*S3EachEntry)(S3Store *s3, const char *key, const S3Entry *entry, int64_t now,
                            void *user, GError **error);
/* All entries whose key begins with below. */
bool s3_walk(S3Store *s3, const S3Listing *listing, const char *below, S3EachEntry each, void *user,
             GError **error);

/* ---- s3remove.c ---- */

bool s3_remove(Store *store, const char *key, GError **error);
bool s3_remove_many(Store *store, const char *const *keys, size_t n, GError **error);

/* An object, or one version of it. */
typedef struct {
    const char *key, *version; /* version: NULL: what a DELETE without one removes */
} S3Doomed;
/* What is refused for good: true when that is no failure of all. */
typedef bool (*S3Refused)(S3Store *s3, const S3Doomed *doomed, const GError *failure, void *user);
/* As s3_remove_many; refused may be NULL. */
bool s3_remove_all(S3Store *s3, const S3Doomed *doomed, size_t n, S3Refused refused, void *user,
                   GError **error);

/* ---- s3stream.c ---- */

bool s3_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error);

/* ---- s3unfinished.c ---- */

bool s3_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                        GError **error);
bool s3_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                          GError **error);
/* Gives up one upload; one that is gone is success. */
bool s3_abort_upload(S3Store *s3, const char *key, const char *upload_id, GError **error);

/* ---- s3guard.c, s3versions.c, s3protect.c, s3purge.c ---- */

bool s3_guard(Store *store, StoreGuard *ret_guard, GError **error);
bool s3_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                 GError **error);
bool s3_get_version(Store *store, const char *key, const char *id, size_t bound, GBytes **ret_data,
                    GError **error);
/* How the object, or a version of it (NULL: what get gives), is locked. */
typedef struct {
    S3Lock lock;
    int64_t until; /* Unix seconds; 0: it is not */
    bool held;     /* until somebody lifts it ("legal hold") */
} S3Protection;
bool s3_protection_get(S3Store *s3, const char *key, const char *version,
                       S3Protection *ret_protection, GError **error);
const char *s3_lock_name(S3Lock lock); /* as in headers and XML; NULL for none */
bool s3_protect(Store *store, const char *key, int64_t enough_until, int64_t until, bool *ret_done,
                GError **error);
bool s3_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each, void *user,
                   GError **error);
