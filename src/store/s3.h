/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in a bucket that speaks S3 (repository format, section 17). One PUT per object with its
 * SHA-256 and MD5, listings by ListObjectsV2, reads by range. One request a call, as a rule:
 * whoever wants another try puts the retry store (store/retry.h) before it; only the requests of a
 * stream are tried again here, by the same rules.
 *
 * What arrived is what was sent: the server compares both hashes, and its ETag, when it is an MD5,
 * is compared with ours. An ETag that is another MD5 costs a GET of what lies there, one that is
 * none (encryption by a key service, some vendors) a HEAD for the length. A server that gives the
 * right ETag and then keeps nothing cannot be seen here, one request a put being what it may cost:
 * acks_may_lie asks those who build on objects to look for them first, many at a time.
 *
 * What is read whole is compared likewise, and asked for once more when it does not fit: a byte
 * that changed on the way is not damage.
 *
 * if_absent is If-None-Match. Where the server does not know it, and until it has refused one for
 * this reason, we look first: one GET of a byte more. On a server that lacks or ignores it two who
 * put the same key at the same moment may both be told that it was absent, and the later one stays.
 *
 * A region or an endpoint that the server names for this bucket is learned; nothing is sent to a
 * host of another domain, nor from https to http.
 */
#pragma once
#include "net/awskeys.h"
#include "store/retry.h"
#include "store/store.h"

typedef enum { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL } S3Style;

/* Object lock. Governance: whoever has a right of its own may end it early; compliance: nobody. */
typedef enum { S3_LOCK_NONE, S3_LOCK_GOVERNANCE, S3_LOCK_COMPLIANCE } S3Lock;

/* Where a repository lies, from its location. All owned. */
typedef struct {
    char *endpoint; /* scheme://host[:port], no slash at the end */
    char *bucket;
    char *prefix; /* no slash at either end; "" for none */
} S3Place;
void s3_place_clear(S3Place *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Place, s3_place_clear)

/*
 * As restic spells it: s3:https://host[:port]/bucket/prefix, s3:host/bucket/prefix (https), and
 * s3:bucket/prefix when endpoint (from the environment) is given and the first part has neither dot
 * nor colon. BS_ERROR_USAGE.
 */
bool s3_place_parse(const char *location, const char *endpoint, S3Place *ret_place, GError **error);

typedef struct {
    const S3Place *place;        /* copied */
    const char *region;          /* copied; NULL: us-east-1 until the server names another */
    S3Style style;               /* auto: path, but virtual hosts for amazonaws.com */
    AwsCredentials *credentials; /* borrowed */
    HttpClient *http;            /* borrowed */
    unsigned connections;        /* 0: 8 */
    const char *storage_class;   /* for data/ only; NULL: the bucket's */
    const char *encryption;      /* x-amz-server-side-encryption: AES256 or aws:kms; NULL */
    const char *encryption_key;  /* ...-aws-kms-key-id; NULL */
    S3Lock lock;                 /* of all that is put, but for locks/; NONE: the bucket's */
    unsigned lock_days;          /* from 1 with a lock */
    RetryPolicy retry;           /* for the parts of a stream */
    const Cancel *cancel;        /* borrowed; may be NULL */
} S3Options;

/* Asks nothing of the server. */
Store *s3_store_new(const S3Options *options);
/* For init: true also when it is ours already. */
bool s3_create_bucket(Store *store, GError **error);
