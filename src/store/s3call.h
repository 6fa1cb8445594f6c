/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the bucket of a store: addressed, signed, sent, and its refusal understood. A
 * region or endpoint that the server names is learned, and expired keys are renewed; for either the
 * request is signed and sent once more, never a third time. Any thread.
 */
#pragma once
#include "codec/hash.h"
#include "store/s3.h"
#include "store/s3refusal.h"

#include <pthread.h>
#include <stdatomic.h>

/* Does the server heed If-None-Match? */
typedef enum { S3_CONDITIONS_UNKNOWN, S3_CONDITIONS_HEEDED, S3_CONDITIONS_LACKING } S3Conditions;

/* Where requests go; owned. */
typedef struct {
    char *endpoint; /* scheme://host[:port] */
    char *region;
} S3Address;
void s3_address_clear(S3Address *address);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Address, s3_address_clear)

typedef struct {
    Store base;
    S3Place place;
    S3Style style;
    AwsCredentials *credentials;
    HttpClient *http;
    char *storage_class, *encryption, *encryption_key;
    S3Lock lock;
    unsigned lock_days;
    char *region; /* for a new bucket; NULL: the server's choice */
    RetryPolicy retry;
    const Cancel *cancel;
    pthread_mutex_t mutex; /* address */
    S3Address address;
    _Atomic S3Conditions conditions;
    atomic_bool no_batches;    /* it knows no DeleteObjects */
    atomic_bool stats_by_list; /* we may not read, but list */
    atomic_bool etags_opaque;  /* they are no MD5 of what was put */
} S3Store;

typedef struct {
    const char *verb; /* for messages: "put" */
    const char *method;
    const char *key;           /* NULL: the bucket itself */
    const char *subject;       /* for messages; NULL: the key */
    const char *query;         /* escaped; NULL: none */
    const HttpHeader *headers; /* signed like all others */
    size_t n_headers;
    const void *body;
    size_t body_len;
    const char *sha256; /* of the body, in hex; NULL: computed */
    void *into;         /* as in HttpRequest */
    size_t into_len, bound;
    bool once;
    S3Refusal *ret_refusal; /* what the server said instead; NULL: not asked for */
} S3Call;

/*
 * True when the server has done it. Otherwise the error reads "s3: put data/ab/...: access denied
 * (HTTP 403 ...)" with the code of s3_refusal_to_error(), or that of http_request().
 */
bool s3_call(S3Store *s3, const S3Call *call, HttpReply *ret_reply, GError **error);

/* "<prefix>/key", as the bucket knows it; prefix may be a StoreEach prefix, too. */
char *s3_full_key(const S3Store *s3, const char *key);

/* ---- s3place.c ---- */

/* scheme://host[:port] as requests are signed: small letters, without the scheme's own port. */
char *s3_endpoint_new(bool tls, const char *host, size_t len);

/* ---- s3address.c ---- */

/* The region that an endpoint's name tells; NULL: none. */
char *s3_region_of_endpoint(const char *endpoint);
/* Through virtual hosts, "bucket.host"? */
bool s3_is_virtual(const S3Store *s3, const char *endpoint);
/*
 * Where refusal, the answer to a request to *used, sends us: true when it is another address, which
 * is in *ret_address. False with error NULL: nowhere. False with error set: to a place where we do
 * not follow.
 */
bool s3_address_follow(const S3Store *s3, const S3Address *used, const S3Refusal *refusal,
                       const char *location, S3Address *ret_address, GError **error);
