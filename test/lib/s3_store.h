/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a bucket of a test's own server, with all that it stands on. */
#pragma once
#include "lib/s3_server.h"
#include "store/s3.h"

typedef struct {
    HttpClient *http;
    AwsCredentials *credentials;
    Store *store;
} S3TestStore;

typedef struct {
    const char *endpoint, *ca;   /* ca: NULL over plain HTTP */
    const char *bucket, *prefix; /* prefix: NULL for none */
    const char *access_key, *secret_key, *session_token;
    const char *shared_file; /* of keys, instead of those */
    int64_t stall_ms;
    S3Options options; /* what is not said above */
} S3TestPlace;

void s3_test_store_open(const S3TestPlace *place, S3TestStore *ret_store);
void s3_test_store_close(S3TestStore *store);
